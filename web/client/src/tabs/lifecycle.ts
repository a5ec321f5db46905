/** When a page is put to sleep and woken. A page that is closed is put to sleep as well. */
export interface Lifecycle {
  sleep(): void;
  wake(): void;
}

/** Follows the page's life until the function that it gives is called. Outside a page nothing happens. */
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

/** Calls back when the page comes to the front, until the function that it gives is called. */
export function onShown(shown: () => void): () => void {
  if (typeof document === "undefined") {
    return () => undefined;
  }
  const look = () => isHidden() || shown();
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}
