/** When a page is frozen and resumed. A closed page is frozen as well. */
export interface Lifecycle {
  sleep(): void;
  wake(): void;
}

/** Follows the page's lifecycle until the returned function is called. Outside a page it does nothing. */
export function followLifecycle(lifecycle: Lifecycle): () => void {
  if (typeof document === "undefined") {
    return () => undefined;
  }
  const over = new AbortController();
  const { signal } = over;
  // Frozen in the background, or kept for the back button: neither may hold a lock that the other tabs wait for.
  document.addEventListener("freeze", () => lifecycle.sleep(), { signal });
  window.addEventListener("pagehide", () => lifecycle.sleep(), { signal });
  document.addEventListener("resume", () => lifecycle.wake(), { signal });
  window.addEventListener("pageshow", ({ persisted }) => persisted && lifecycle.wake(), { signal });
  return () => over.abort();
}

export function isHidden(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "hidden";
}

/** Calls back when the page becomes visible, until the returned function is called. */
export function onShown(shown: () => void): () => void {
  if (typeof document === "undefined") {
    return () => undefined;
  }
  const look = () => isHidden() || shown();
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}
