import type { UserRef } from "./types.ts";

const PEOPLE = [
  ["alice", "owns Groceries"],
  ["bob", "shops with alice, owns Party"],
  ["carol", "is invited to nothing yet"],
] as const;

export function SignIn({ choose, notice }: { choose: (user: string) => void; notice: string }) {
  return (
    <main className="card sign-in" data-testid="sign-in">
      <h1>Shopping lists</h1>
      <p className="muted">Sign in as two people in two windows, open the same list, and change it in one.</p>
      <div className="people">
        {PEOPLE.map(([name, what]) => (
          <button key={name} type="button" data-testid={`user-${name}`} onClick={() => choose(name)}>
            {name}
            <span className="muted">{what}</span>
          </button>
        ))}
      </div>
      <p className="notice" role="status">
        {notice}
      </p>
    </main>
  );
}

/** The state of the connection; once all attempts are used up, a button to retry. */
export function ConnectionStatus({ state, again }: { state: string; again: () => void }) {
  return (
    <>
      <span className="state" data-testid="connection-state" data-state={state}>
        {state}
      </span>
      {state === "disconnected" && (
        <button type="button" data-testid="again" onClick={again}>
          Connect again
        </button>
      )}
    </>
  );
}

export function Faces({ users, me }: { users: UserRef[]; me: string }) {
  return (
    <ul className="faces" aria-label="Who has this list open" data-testid="present">
      {users.map(({ id, displayName }) => (
        <li key={id} className="badge" data-tone="accent">
          {id === me ? "you" : (displayName ?? id)}
        </li>
      ))}
    </ul>
  );
}
