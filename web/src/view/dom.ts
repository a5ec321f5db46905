/** Builds elements. Strings become text nodes, so nothing shown can become markup. */

import type { SafeLink } from "../links.ts";

export type Child = Node | string | false | undefined;

export interface Props {
  readonly class?: string;
  readonly testid?: string;
  readonly id?: string;
  /** Further attributes; `true` sets an empty one, `false` and `undefined` leave it out. */
  readonly attrs?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly onclick?: (event: MouseEvent) => void;
}

// Attributes that run code or load something are set in a separate way, or not at all.
const REFUSED = /^(on|style$|href$|src)/i;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (props.class !== undefined) {
    element.className = props.class;
  }
  if (props.id !== undefined) {
    element.id = props.id;
  }
  if (props.testid !== undefined) {
    element.dataset["testid"] = props.testid;
  }
  attributes(element, props.attrs ?? {});
  if (props.onclick !== undefined) {
    element.addEventListener("click", props.onclick as EventListener);
  }
  fill(element, ...children);
  return element;
}

/** An anchor; its `href` can only be a link that was found safe. */
export function anchor(link: SafeLink, props: Props, ...children: Child[]): HTMLAnchorElement {
  const element = h("a", props, ...children);
  element.href = link.href;
  element.target = "_blank";
  element.rel = "noopener noreferrer";
  return element;
}

/** An SVG element; only shapes that the page itself draws. */
export function svg(tag: string, attrs: Readonly<Record<string, string | number>>, ...children: Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  attributes(element, attrs);
  element.append(...children);
  return element;
}

/** Replaces the content of an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child) => child !== false && child !== undefined));
}

/**
 * Shows one element per item, in order, and keeps the element of an item that stays: the keyboard
 * focus and a running transition survive the change.
 */
export class KeyedList<T> {
  readonly #parent: Element;
  readonly #key: (item: T) => string;
  readonly #build: (item: T) => Element;
  readonly #update: (element: Element, item: T) => void;
  #elements = new Map<string, Element>();

  constructor(
    parent: Element,
    key: (item: T) => string,
    build: (item: T) => Element,
    update: (element: Element, item: T) => void = () => undefined,
  ) {
    this.#parent = parent;
    this.#key = key;
    this.#build = build;
    this.#update = update;
  }

  show(items: readonly T[], nothing?: Element): void {
    const elements = new Map<string, Element>();
    for (const item of items) {
      const key = this.#key(item);
      const element = this.#elements.get(key) ?? this.#build(item);
      this.#update(element, item);
      elements.set(key, element);
    }
    this.#elements = elements;
    const wanted = elements.size === 0 && nothing !== undefined ? [nothing] : [...elements.values()];
    for (const child of [...this.#parent.children]) {
      if (!wanted.includes(child)) {
        child.remove();
      }
    }
    wanted.forEach((element, index) => {
      const there = this.#parent.children[index];
      if (there !== element) {
        this.#parent.insertBefore(element, there ?? null);
      }
    });
  }
}

function attributes(element: Element, attrs: Readonly<Record<string, string | number | boolean | undefined>>): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (REFUSED.test(name)) {
      throw new Error(`the attribute ${name} is not set this way`);
    }
    if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}
