// The API of the service of lists.

import { ask } from "../../page/backend.ts";
import type { Item, List } from "./types.ts";

export interface User {
  user: string;
  access_token: string;
}

export const api = {
  signIn: (user: string) => ask<User>("POST", "/login", { user, password: "demo" }),
  signOut: () => ask<void>("POST", "/logout"),
  lists: () => ask<List[]>("GET", "/api/lists"),
  list: (id: string) => ask<List>("GET", `/api/lists/${id}`),
  items: (id: string) => ask<{ items: Item[] }>("GET", `/api/lists/${id}/items`),
  rename: (id: string, name: string) => ask<List>("PATCH", `/api/lists/${id}`, { name }),
  add: (id: string, name: string) => ask<Item>("POST", `/api/lists/${id}/items`, { name }),
  edit: (item: Item, name: string) => ask<Item>("PATCH", `/api/lists/${item.listId}/items/${item.id}`, { name }),
  purchase: (item: Item, isPurchased: boolean) =>
    ask<Item>("PATCH", `/api/lists/${item.listId}/items/${item.id}/purchased`, { isPurchased }),
  remove: (item: Item) => ask<void>("DELETE", `/api/lists/${item.listId}/items/${item.id}`),
  invite: (id: string, user: string) => ask<unknown>("PUT", `/api/lists/${id}/collaborators/${user}`, {}),
  exclude: (id: string, user: string) => ask<void>("DELETE", `/api/lists/${id}/collaborators/${user}`),
};
