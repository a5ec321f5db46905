// The keys under which TanStack Query keeps what the API said of tickets.

export const ticketQueryKeys = {
  all: ["tickets"] as const,
  byId: (ticketId: string) => [...ticketQueryKeys.all, ticketId] as const,
};
