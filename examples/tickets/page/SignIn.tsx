const PEOPLE = [
  ["alice", "acme, support"],
  ["bob", "acme, support and billing"],
  ["carol", "globex, support"],
] as const;

export function SignIn({ choose, notice }: { choose: (user: string) => void; notice: string }) {
  return (
    <main className="card sign-in" data-testid="sign-in">
      <h1>Tickets</h1>
      <p className="muted">Sign in as somebody. Open another window for somebody else, and watch both.</p>
      <div className="people">
        {PEOPLE.map(([name, where]) => (
          <button key={name} type="button" data-testid={`user-${name}`} onClick={() => choose(name)}>
            {name}
            <span className="muted">{where}</span>
          </button>
        ))}
      </div>
      <p className="notice" role="status">
        {notice}
      </p>
    </main>
  );
}
