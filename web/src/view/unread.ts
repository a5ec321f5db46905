const COUNT = /^\(\d+\) /;

/** Counts arriving notifications in the tab's title while the tab is in the background. */
export class Unread {
  readonly #seen = () => this.#show(document.hidden ? this.#count : 0);
  #count = 0;

  constructor() {
    document.addEventListener("visibilitychange", this.#seen);
  }

  add(): void {
    if (document.hidden) {
      this.#show(this.#count + 1);
    }
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#seen);
    this.#show(0);
  }

  #show(count: number): void {
    this.#count = count;
    const title = document.title.replace(COUNT, "");
    document.title = count === 0 ? title : `(${count}) ${title}`;
  }
}
