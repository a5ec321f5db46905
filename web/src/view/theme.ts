import { testid } from "../testids.ts";
import { iconButton } from "./controls.ts";
import { fill } from "./dom.ts";
import { icon } from "./icons.ts";

const KEY = "fanfare.theme";
type Theme = "light" | "dark";

/** Applies the theme chosen earlier; without one the system decides. */
export function applyTheme(): void {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset["theme"] = chosen;
  }
}

/** A button that switches between light and dark; returning to the system's theme deletes the choice. */
export function themeButton(): HTMLButtonElement {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = iconButton("Switch theme", "moon", { testid: testid.theme, onclick: () => choose(other()) });

  function current(): Theme {
    const chosen = document.documentElement.dataset["theme"];
    return chosen === "light" || chosen === "dark" ? chosen : system();
  }
  function system(): Theme {
    return dark.matches ? "dark" : "light";
  }
  function other(): Theme {
    return current() === "dark" ? "light" : "dark";
  }
  function choose(theme: Theme): void {
    if (theme === system()) {
      delete document.documentElement.dataset["theme"];
      localStorage.removeItem(KEY);
    } else {
      document.documentElement.dataset["theme"] = theme;
      localStorage.setItem(KEY, theme);
    }
    show();
  }
  function show(): void {
    const label = `Switch to the ${other()} theme`;
    button.setAttribute("aria-label", label);
    button.title = label;
    fill(button, icon(current() === "dark" ? "sun" : "moon"));
  }

  show();
  dark.addEventListener("change", show);
  return button;
}
