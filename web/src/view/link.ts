import type { SafeLink } from "../links.ts";
import { anchor, h } from "./dom.ts";
import { icon } from "./icons.ts";

/** Fetches a file with the session's token and passes it to the browser. */
export type Download = (url: string) => Promise<void>;

/** A notification's link: an anchor, or a button if the file must be fetched with the token. */
export function linkOf(link: SafeLink, testid: string, download: Download): HTMLElement {
  if (link.kind === "download") {
    const attrs = { type: "button", "data-href": link.href };
    const onclick = () => void download(link.href);
    return h("button", { class: "link", testid, attrs, onclick }, icon("download"), "Download");
  }
  return anchor(
    link,
    { class: "link", testid },
    icon("external"),
    link.kind === "page" ? "Open" : new URL(link.href).host,
  );
}

/** Passes a fetched file to the browser's downloads. */
export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const save = h("a", { attrs: { download: name } });
  save.href = url;
  save.click();
  // The browser has started the download by then; with an early revoke some browsers save nothing.
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}
