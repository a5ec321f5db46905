// Sign-in, the lists that a user may see, and the open one.

import { useCallback, useEffect, useState } from "react";
import { type User, api } from "./api.ts";
import { ListDetail } from "./ListDetail.tsx";
import { signalRService } from "./signalRService.ts";
import { ConnectionStatus, SignIn } from "./parts.tsx";
import type { List } from "./types.ts";

const KEY = "lists.session";

export function App() {
  const kept = sessionStorage.getItem(KEY);
  const [user, setUser] = useState<User | null>(kept === null ? null : JSON.parse(kept));
  const [lists, setLists] = useState<List[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const [state, setState] = useState("disconnected");
  const [notice, setNotice] = useState("");

  const leave = useCallback((why = "") => {
    sessionStorage.removeItem(KEY);
    void signalRService.disconnect();
    setUser(null);
    setOpen(null);
    setNotice(why);
  }, []);

  const refresh = useCallback(() => {
    api.lists().then(setLists, (error) => (error.status === 401 ? leave("Sign in again.") : setNotice(error.message)));
  }, [leave]);

  const connect = useCallback(() => {
    signalRService.onState = setState;
    signalRService.onUnauthorized = () => leave("Sign in again.");
    void signalRService.connect(user?.access_token ?? null).then(() => {
      signalRService.on("logout", () => leave("You were signed out."));
      // Shown to the affected user on every page.
      signalRService.on("CollaboratorAdded", refresh);
      signalRService.on("CollaboratorRemoved", refresh);
      signalRService.start().catch((error: Error) => setNotice(error.message));
    });
  }, [user, leave, refresh]);

  useEffect(() => {
    if (user !== null) {
      refresh();
      connect();
    }
  }, [user, refresh, connect]);

  if (user === null) {
    const choose = (name: string) =>
      api.signIn(name).then(
        (session) => {
          sessionStorage.setItem(KEY, JSON.stringify(session));
          setNotice("");
          setUser(session);
        },
        (error: Error) => setNotice(error.message),
      );
    return <SignIn notice={notice} choose={(name) => void choose(name)} />;
  }
  const shown = lists.find(({ id }) => id === open);
  return (
    <div className="page">
      <header className="bar">
        <h1>Shopping lists</h1>
        <ConnectionStatus state={state} again={connect} />
        <span className="muted" data-testid="who">
          {user.user}
        </span>
        <button type="button" data-testid="sign-out" onClick={() => void api.signOut().finally(() => leave())}>
          Sign out
        </button>
      </header>
      <nav className="card" aria-label="Lists">
        <ul className="actions">
          {lists.map(({ id, name }) => (
            <li key={id}>
              <button
                type="button"
                className={id === open ? "primary" : ""}
                aria-pressed={id === open}
                data-testid={`list-${name}`}
                onClick={() => setOpen(id)}
              >
                {name}
              </button>
            </li>
          ))}
        </ul>
        {lists.length === 0 && <p className="muted">Nobody shares a list with you yet.</p>}
        <p className="notice" role="status">
          {notice}
        </p>
      </nav>
      {shown !== undefined && (
        <ListDetail key={shown.id} id={shown.id} me={user.user} connected={state === "connected"} gone={refresh} />
      )}
    </div>
  );
}
