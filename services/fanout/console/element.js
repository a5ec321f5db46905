// Elements from what nodes say. Nothing is ever read as HTML: ids are whatever users are called.

import { plain } from "./words.js";

export const at = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== "") {
      made.setAttribute(key, value);
    }
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

/** Says a text where it is not said yet: a reader's selection and a screen reader are left in peace. */
export function say(place, text, kind) {
  const shown = plain(text);
  if (place.textContent !== shown) {
    place.textContent = shown;
  }
  if (kind !== undefined && place.className !== kind) {
    place.className = kind;
  }
}

/** A card with a title and rows of what and how much. `update` changes what has changed, and nothing else. */
export class Card {
  #rows = new Map();
  #list = element("dl");
  #title = element("h3");

  constructor(title, rows = [], ...below) {
    this.element = element("article", { class: "card" }, this.#title, this.#list, ...below);
    this.update(title, rows);
  }

  /** Rows without a value are left out. */
  update(title, rows) {
    say(this.#title, title);
    const shown = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
    const names = new Set(shown.map(([name]) => name));
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.forEach((part) => part.remove());
        this.#rows.delete(name);
      }
    }
    let before = null;
    for (const [name, value, kind] of shown.toReversed()) {
      const row = this.#rows.get(name) ?? [element("dt", {}, name), element("dd")];
      say(row[1], String(value), kind ?? "");
      if (!this.#rows.has(name)) {
        this.#rows.set(name, row);
        this.#list.insertBefore(row[0], before);
        this.#list.insertBefore(row[1], before);
      }
      before = row[0];
    }
  }
}

/** Cards by name, in this order; those that stay are the same elements. */
export class Cards {
  #cards = new Map();
  #place;

  constructor(place) {
    this.#place = place;
  }

  show(entries) {
    const names = new Set(entries.map(([name]) => name));
    for (const [name, card] of this.#cards) {
      if (!names.has(name)) {
        card.element.remove();
        this.#cards.delete(name);
      }
    }
    let before = null;
    for (const [name, title, rows] of entries.toReversed()) {
      const card = this.#cards.get(name) ?? new Card(title);
      card.update(title, rows);
      this.#cards.set(name, card);
      if (card.element.parentNode !== this.#place || card.element.nextSibling !== before) {
        this.#place.insertBefore(card.element, before);
      }
      before = card.element;
    }
  }
}
