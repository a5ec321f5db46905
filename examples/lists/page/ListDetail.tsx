// One list: its state comes from the API, and events change it. Additions here show at once and are confirmed later.

import { useCallback, useEffect, useMemo, useState } from "react";
import { api } from "./api.ts";
import { ListItem } from "./ListItem.tsx";
import { Faces } from "./parts.tsx";
import type { Handlers, Item, List, UserRef } from "./types.ts";
import { useListRealtime } from "./useListRealtime.ts";

interface Props {
  id: string;
  me: string;
  connected: boolean;
  gone: () => void;
}

const without = <T extends { id: string }>(all: T[], id: string) => all.filter((one) => one.id !== id);
const withOne = <T extends { id: string }>(all: T[], one: T) =>
  all.some(({ id }) => id === one.id) ? all.map((old) => (old.id === one.id ? one : old)) : [...all, one];

export function ListDetail({ id, me, connected, gone }: Props) {
  const [list, setList] = useState<List | null>(null);
  const [items, setItems] = useState<Item[]>([]);
  const [present, setPresent] = useState<UserRef[]>([]);
  const [notice, setNotice] = useState("");
  const refused = useCallback((error: Error) => setNotice(error.message), []);

  // Also after every reconnect: the API has what happened meanwhile.
  useEffect(() => {
    Promise.all([api.list(id), api.items(id)]).then(([found, { items: all }]) => {
      setList(found);
      setItems(all);
    }, refused);
  }, [id, connected, refused]);

  const handlers = useMemo<Handlers>(() => {
    // A handler gets notifications for every list that this connection has joined.
    const here =
      <E extends { listId: string }>(handle: (event: E) => void) =>
      (event: E) => {
        if (event.listId === id) {
          handle(event);
        }
      };
    const say = (by: UserRef | null, what: string) => {
      if (by !== null && by.id !== me) {
        setNotice(`${by.displayName ?? by.id} ${what}`);
      }
    };
    return {
      ItemAdded: here(({ item }) => {
        setItems((all) => withOne(all.filter(notThePending(item)), item));
        say(item.createdBy, `added ${item.name}`);
      }),
      ItemUpdated: here(({ item }) => {
        setItems((all) => withOne(all, item));
        say(item.updatedBy, `changed ${item.name}`);
      }),
      ItemDeleted: here(({ itemId, deletedBy }) => {
        setItems((all) => without(all, itemId));
        say(deletedBy, "deleted an item");
      }),
      ItemPurchasedStatusChanged: here(({ itemId, isPurchased, purchasedBy, purchasedAt }) => {
        const changed = { isPurchased, purchasedBy, purchasedAt };
        setItems((all) => all.map((item) => (item.id === itemId ? { ...item, ...changed } : item)));
      }),
      ListUpdated: here(({ changes }) => setList((old) => old && { ...old, ...changes })),
      CollaboratorAdded: here(({ collaborator }) => {
        setList((old) => old && { ...old, collaborators: withOne(old.collaborators, collaborator) });
      }),
      CollaboratorPermissionChanged: here(({ userId, permission }) => {
        setList((old) => old && (userId === me ? { ...old, permission } : old));
      }),
      CollaboratorRemoved: here(({ userId }) => {
        userId === me ? gone() : setList((old) => old && { ...old, collaborators: without(old.collaborators, userId) });
      }),
      UserJoined: here(({ user }) => setPresent((all) => withOne(all, user))),
      UserLeft: here(({ userId }) => setPresent((all) => without(all, userId))),
      PresenceUpdate: here(({ activeUsers }) => setPresent(activeUsers)),
    };
  }, [id, me, gone]);
  useListRealtime(id, connected, handlers, refused);

  if (list === null) {
    return <p className="muted">{notice || "One moment…"}</p>;
  }
  const add = async (name: string) => {
    const pending = { ...newItem(id, name), position: items.length + 1 };
    setItems((all) => [...all, pending]);
    try {
      const item = await api.add(id, name);
      setItems((all) => withOne(without(all, pending.id), item));
    } catch (error) {
      setItems((all) => without(all, pending.id));
      refused(error as Error);
    }
  };
  const mayChange = list.permission !== "Viewer";
  return (
    <main className="card">
      <div className="bar">
        <h2 data-testid="list-name">{list.name}</h2>
        <Faces users={present} me={me} />
      </div>
      <ul className="rows">
        {items.map((item) => (
          <ListItem key={item.id} item={item} mayChange={mayChange} refused={refused} />
        ))}
      </ul>
      {mayChange && <AddItem add={(name) => void add(name)} />}
      {list.permission === "Owner" && <Sharing list={list} refused={refused} />}
      <p className="notice" role="status" data-testid="notice">
        {notice}
      </p>
    </main>
  );
}

/** The event of an item may arrive before the answer to its request; then its placeholder is removed. */
function notThePending({ name, createdBy }: Item) {
  return (item: Item) => !(item.isPending && item.name === name && item.createdBy.id !== createdBy.id);
}

function newItem(listId: string, name: string): Item {
  const nobody = { id: "", displayName: null, avatarUrl: null };
  const nothing = { unit: null, notes: null, purchasedBy: null, purchasedAt: null, updatedBy: null };
  const id = `pending-${crypto.randomUUID()}`;
  return { id, listId, name, quantity: 1, ...nothing, isPurchased: false, createdBy: nobody, position: 0, isPending: true };
}

function AddItem({ add }: { add: (name: string) => void }) {
  const [name, setName] = useState("");
  return (
    <form
      className="add"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() !== "") {
          add(name.trim());
          setName("");
        }
      }}
    >
      <input
        aria-label="New item"
        placeholder="New item"
        data-testid="new-item"
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="primary">
        Add
      </button>
    </form>
  );
}

function Sharing({ list, refused }: { list: List; refused: (error: Error) => void }) {
  const shared = list.collaborators.some(({ id }) => id === "carol");
  const change = () => (shared ? api.exclude(list.id, "carol") : api.invite(list.id, "carol"));
  return (
    <p className="actions">
      <button type="button" data-testid="share-carol" onClick={() => void change().catch(refused)}>
        {shared ? "Remove carol" : "Invite carol"}
      </button>
    </p>
  );
}
