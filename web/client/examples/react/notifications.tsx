// A provider and hooks: `useNotifications` subscribes to a target, `useInvalidation` makes TanStack Query refetch what
// changed.

import { Client, type ConnectionState, type End, type FixedTargets } from "@fanfare/client";
import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useRef, useSyncExternalStore, type ReactNode } from "react";

/** What the routes of the hub send. */
export interface Targets extends FixedTargets {
  ticketChanged: [ticketId: string];
}

const ClientContext = createContext<Client<Targets> | undefined>(undefined);

export interface NotificationsProps {
  readonly hub: string;
  /** Who is signed in; another user gets another client. */
  readonly user: string;
  readonly accessToken?: () => Promise<string>;
  readonly onEnd?: (end: End) => void;
  readonly children: ReactNode;
}

/** One client for all components below; their effects run before this one's, so they hear from the start. */
export function Notifications({ hub, user, accessToken, onEnd, children }: NotificationsProps) {
  const latest = useLatest({ accessToken, onEnd });
  const hasToken = accessToken !== undefined;
  const client = useMemo(() => {
    const token = () => latest.current.accessToken?.() ?? "";
    const retained = { featureFlag: ({ flag }: { flag: string }) => flag };
    return new Client<Targets>({ hub, user, retained, ...(hasToken ? { accessToken: token } : {}) });
  }, [hub, user, hasToken, latest]);
  useEffect(() => {
    const unfollow = client.onEnd((end) => latest.current.onEnd?.(end));
    client.start();
    return () => {
      unfollow();
      client.stop();
    };
  }, [client, latest]);
  return <ClientContext value={client}>{children}</ClientContext>;
}

export function useClient(): Client<Targets> {
  const client = useContext(ClientContext);
  if (client === undefined) {
    throw new Error("useClient and what uses it belong below <Notifications>");
  }
  return client;
}

/** Hears a target for as long as the component is there. */
export function useNotifications<K extends keyof Targets>(target: K, handler: (...args: Targets[K]) => void): void {
  const client = useClient();
  const latest = useLatest(handler);
  useEffect(() => client.on(target, (...args) => latest.current(...args)), [client, target, latest]);
}

export function useConnectionState(): ConnectionState {
  const client = useClient();
  return useSyncExternalStore(
    (changed) => client.onState(changed),
    () => client.state,
  );
}

/** Invalidates the query that a notification names, and all of `everything` after a gap. */
export function useInvalidation<K extends keyof Targets>(
  target: K,
  keyOf: (...args: Targets[K]) => QueryKey,
  everything: QueryKey,
): void {
  const client = useClient();
  const queries = useQueryClient();
  const all = useLatest(everything);
  useNotifications(target, (...args) => void queries.invalidateQueries({ queryKey: keyOf(...args) }));
  useEffect(
    () => client.onGap(() => void queries.invalidateQueries({ queryKey: all.current })),
    [client, queries, all],
  );
}

/** The newest value in a ref, so that effects need not run again for it. */
function useLatest<T>(value: T) {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
