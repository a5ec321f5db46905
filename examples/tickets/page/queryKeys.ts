// The keys under which TanStack Query caches the API's tickets.

export const ticketQueryKeys = {
  all: ["tickets"] as const,
  byId: (ticketId: string) => [...ticketQueryKeys.all, ticketId] as const,
};
