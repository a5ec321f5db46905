// Signed-in users see the tickets; others choose whom to be.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "./api.ts";
import { SignIn } from "./SignIn.tsx";
import { Tickets } from "./Tickets.tsx";

export function App() {
  const queries = useQueryClient();
  const me = useQuery({ queryKey: ["me"], queryFn: api.me });
  const [notice, setNotice] = useState("");

  const attempt = async (what: Promise<unknown>) => {
    setNotice("");
    await what.catch((error: Error) => setNotice(error.message));
    await queries.resetQueries();
  };

  if (me.isPending) {
    return <p className="page muted">One moment…</p>;
  }
  if (me.data === undefined) {
    return <SignIn notice={notice} choose={(user) => void attempt(api.signIn(user))} />;
  }
  const { user, org, teams } = me.data;
  return (
    <div className="page">
      <header className="bar">
        <h1>Tickets of {org}</h1>
        <span className="muted" data-testid="who">
          {user}
          {teams.length > 0 && `, ${teams.join(" and ")}`}
        </span>
        <button type="button" data-testid="sign-out" onClick={() => void attempt(api.signOut())}>
          Sign out
        </button>
      </header>
      <Tickets me={user} />
    </div>
  );
}
