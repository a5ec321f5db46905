import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Ticket, api } from "./api.ts";
import { ticketQueryKeys } from "./queryKeys.ts";
import { useTicketRealtime } from "./useTicketRealtime.ts";

export function Tickets({ me }: { me: string }) {
  useTicketRealtime();
  const tickets = useQuery({ queryKey: ticketQueryKeys.all, queryFn: api.tickets });
  return (
    <main className="card">
      <h2>What you can see</h2>
      {tickets.isError && <p className="notice">{tickets.error.message}</p>}
      <ul className="rows">
        {tickets.data?.map((ticket) => (
          <Row key={ticket.ticketId} known={ticket} me={me} />
        ))}
      </ul>
      <p className="muted">A ticket that changes is fetched again: the hub says which one, and nothing else.</p>
    </main>
  );
}

/** One ticket, kept under a key of its own, so that the hook can have this one alone fetched again. */
function Row({ known, me }: { known: Ticket; me: string }) {
  const queries = useQueryClient();
  const id = known.ticketId;
  const key = ticketQueryKeys.byId(id);
  const { data: ticket, isError } = useQuery({
    queryKey: key,
    queryFn: () => api.ticket(id),
    initialData: known,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const act = useMutation({
    mutationFn: (action: (id: string) => Promise<Ticket>) => action(id),
    onSuccess: (changed) => queries.setQueryData(key, changed),
  });
  if (isError) {
    // A user who may not see it any more has just been notified.
    return null;
  }
  const mine = ticket.assignee === me;
  const open = ticket.state === "open";
  return (
    <li key={ticket.revision} className="changed" data-testid={`ticket-${id}`} data-state={ticket.state}>
      <div className="grow">
        <strong>
          #{id} {ticket.title}
        </strong>
        <div>
          <span className="badge">{ticket.team ?? "everybody"}</span>{" "}
          <span className="badge" data-tone="accent" data-testid="assignee">
            {ticket.assignee ?? "nobody"}
          </span>{" "}
          {!open && <span className="badge">closed</span>}
        </div>
        {act.isError && <p className="notice">{act.error.message}</p>}
      </div>
      <div className="actions">
        <button type="button" disabled={mine || act.isPending} onClick={() => act.mutate(api.take)}>
          {mine ? "Yours" : "Take it"}
        </button>
        <button type="button" disabled={act.isPending} onClick={() => act.mutate(open ? api.close : api.reopen)}>
          {open ? "Close" : "Reopen"}
        </button>
      </div>
    </li>
  );
}
