// Lists, their items and their collaborators. Each change is one commit with the event that reports it.

import { randomUUID } from "node:crypto";
import { Refusal } from "../../backend/server.mjs";
import { ids } from "../../backend/sign-in.mjs";

/** The roles that may change items; a Viewer sees them. */
const EDITORS = ["Owner", "Editor"];

const FIRST_LISTS = [
  {
    id: "6f1c7a52-3b0e-4d0a-9a4e-1f2d3c4b5a69",
    name: "Groceries",
    description: "For the week",
    members: { alice: "Owner", bob: "Editor" },
    items: ["Milk", "Bread", "Apples"],
  },
  {
    id: "0b9d8e7c-5a4f-4e3d-8c2b-7a6f5e4d3c2b",
    name: "Party",
    description: null,
    members: { bob: "Owner" },
    items: ["Balloons"],
  },
];

export class Lists {
  #store;
  #shown;

  /** The lists in a store; `shown` returns how a user is shown to others. */
  constructor(store, shown) {
    this.#store = store;
    this.#shown = shown;
    for (const { items, ...list } of FIRST_LISTS) {
      if (store.get(`list/${list.id}`) === undefined) {
        const [owner] = Object.keys(list.members);
        const first = items.map((name, index) => this.#newItem(list.id, owner, { name }, index + 1));
        const values = first.map((item) => [`item/${list.id}/${item.id}`, item]);
        store.commit({ [`list/${list.id}`]: { ...list, revision: 0 }, ...Object.fromEntries(values) });
      }
    }
  }

  /** A user's role in a list: Owner, Editor, Viewer, or undefined. */
  permission(user, id) {
    const members = this.#store.get(`list/${id}`)?.members ?? {};
    return Object.hasOwn(members, user) ? members[user] : undefined;
  }

  of(user) {
    return this.#store.list("list/").flatMap((list) => (this.permission(user, list.id) ? [this.#told(list, user)] : []));
  }

  view(user, id) {
    return this.#told(this.#seen(user, id), user);
  }

  items(user, id) {
    this.#seen(user, id);
    return this.#store.list(`item/${id}/`).sort((a, b) => a.position - b.position);
  }

  add({ user, params, body, ...request }) {
    const { id } = this.#editable(user, params.list);
    const position = Math.max(0, ...this.items(user, id).map((item) => item.position)) + 1;
    const item = this.#newItem(id, user, body, position);
    this.#commit({ [`item/${id}/${item.id}`]: item }, "ItemAdded", { listId: id, item }, request);
    return item;
  }

  edit({ user, params, body, ...request }) {
    const { id } = this.#editable(user, params.list);
    const known = this.#item(id, params.item);
    const given = fieldsOf(body, { name: text, quantity: amount, unit: note, notes: note });
    const changedFields = Object.keys(given).filter((field) => given[field] !== known[field]);
    const item = { ...known, ...given, updatedBy: this.#shown(user), updatedAt: new Date().toISOString() };
    this.#commit({ [`item/${id}/${item.id}`]: item }, "ItemUpdated", { listId: id, item, changedFields }, request);
    return item;
  }

  remove({ user, params, ...request }) {
    const { id } = this.#editable(user, params.list);
    const { id: itemId } = this.#item(id, params.item);
    const told = { listId: id, itemId, deletedBy: this.#shown(user) };
    this.#commit({ [`item/${id}/${itemId}`]: null }, "ItemDeleted", told, request);
    return { status: 204 };
  }

  purchase({ user, params, body, ...request }) {
    const { id } = this.#editable(user, params.list);
    const { isPurchased } = fieldsOf(body, { isPurchased: flag });
    const known = this.#item(id, params.item);
    const purchasedBy = isPurchased ? this.#shown(user) : null;
    const purchasedAt = isPurchased ? new Date().toISOString() : null;
    const item = { ...known, isPurchased, purchasedBy, purchasedAt };
    const told = { listId: id, itemId: item.id, isPurchased, purchasedBy, purchasedAt };
    this.#commit({ [`item/${id}/${item.id}`]: item }, "ItemPurchasedStatusChanged", told, request);
    return item;
  }

  change({ user, params, body, ...request }) {
    const list = this.#editable(user, params.list);
    const changes = fieldsOf(body, { name: text, description: note });
    const next = { ...list, ...changes };
    const told = { listId: list.id, changes, changedFields: Object.keys(changes), updatedBy: this.#shown(user) };
    this.#commit({ [`list/${list.id}`]: next }, "ListUpdated", told, request);
    return this.#told(next, user);
  }

  invite({ user, params, body, ...request }, userId) {
    const list = this.#owned(user, params.list);
    const { permission = "Editor" } = body;
    if (!["Editor", "Viewer"].includes(permission) || userId === user) {
      throw new Refusal(400, "`permission` is Editor or Viewer, and the owner stays the owner");
    }
    const isNew = !Object.hasOwn(list.members, userId);
    const next = { ...list, members: { ...list.members, [userId]: permission }, revision: list.revision + 1 };
    const by = this.#shown(user);
    const collaborator = { ...this.#shown(userId), permission };
    const told = isNew
      ? { listId: list.id, userId, collaborator, invitedBy: by }
      : { listId: list.id, userId, permission, changedBy: by };
    const type = isNew ? "CollaboratorAdded" : "CollaboratorPermissionChanged";
    this.#commit({ [`list/${list.id}`]: next }, type, told, request);
    return collaborator;
  }

  exclude({ user, params, ...request }, userId) {
    const list = this.#owned(user, params.list);
    if (!Object.hasOwn(list.members, userId) || userId === user) {
      throw new Refusal(404, "there is no such collaborator");
    }
    const { [userId]: _, ...members } = list.members;
    const revision = list.revision + 1;
    const { displayName } = this.#shown(userId);
    const told = { listId: list.id, userId, displayName, removedBy: this.#shown(user), revision };
    this.#commit({ [`list/${list.id}`]: { ...list, members, revision } }, "CollaboratorRemoved", told, request);
    return { status: 204 };
  }

  #commit(values, event, body, request) {
    this.#store.commit(values, [{ type: `lists.${event}`, body, ...ids(request) }]);
  }

  #seen(user, id) {
    if (this.permission(user, id) === undefined) {
      throw new Refusal(404, "there is no such list");
    }
    return this.#store.get(`list/${id}`);
  }

  #editable(user, id) {
    const list = this.#seen(user, id);
    if (!EDITORS.includes(this.permission(user, id))) {
      throw new Refusal(403, "who only looks at a list cannot change it");
    }
    return list;
  }

  #owned(user, id) {
    const list = this.#seen(user, id);
    if (this.permission(user, id) !== "Owner") {
      throw new Refusal(403, "the owner alone may do this");
    }
    return list;
  }

  #item(list, id) {
    const item = this.#store.get(`item/${list}/${id}`);
    if (item === undefined) {
      throw new Refusal(404, "there is no such item");
    }
    return item;
  }

  #newItem(listId, user, body, position) {
    const { name, ...more } = fieldsOf(body, { name: text, quantity: amount, unit: note, notes: note });
    if (name === undefined) {
      throw new Refusal(400, "`name` is missing");
    }
    const now = new Date().toISOString();
    const by = this.#shown(user);
    const nothing = { quantity: 1, unit: null, notes: null, imageUrl: null };
    const fresh = { isPurchased: false, purchasedBy: null, purchasedAt: null, createdBy: by, updatedBy: null };
    return { id: randomUUID(), listId, name, ...nothing, ...more, ...fresh, position, createdAt: now, updatedAt: now };
  }

  #told({ id, name, description, members }, user) {
    const collaborators = Object.entries(members).map(([one, permission]) => ({ ...this.#shown(one), permission }));
    return { id, name, description, permission: members[user], collaborators };
  }
}

/** The given fields, each checked by its kind; others are refused by name. */
function fieldsOf(body, kinds) {
  for (const [field, value] of Object.entries(body)) {
    const kind = Object.hasOwn(kinds, field) ? kinds[field] : undefined;
    if (kind === undefined || !kind.fits(value)) {
      throw new Refusal(400, `\`${field}\` ${kind?.words ?? `is not known; known are ${Object.keys(kinds).join(", ")}`}`);
    }
  }
  return body;
}

const text = {
  fits: (value) => typeof value === "string" && value.trim() !== "" && value.length <= 200,
  words: "is text of 1 to 200 characters",
};
const note = {
  fits: (value) => value === null || (typeof value === "string" && value.length <= 1000),
  words: "is null or text of at most 1,000 characters",
};
const amount = { fits: (value) => Number.isFinite(value) && value > 0, words: "is a number above 0" };
const flag = { fits: (value) => typeof value === "boolean", words: "is true or false" };
