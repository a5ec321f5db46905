/** The addresses of the demo platform's services. */

export interface Addresses {
  readonly auth: string;
  readonly license: string;
  readonly export: string;
}

export type ServiceName = keyof Addresses;

const PORTS: Readonly<Record<ServiceName, number>> = { auth: 8081, license: 8082, export: 8083 };

/**
 * The services' addresses: the page's host with the demo's ports, unless the query names others
 * (`?auth=http://127.0.0.1:7001`). An address on another host is ignored: the page sends a password
 * and a token there, and a link must not be able to choose who gets them.
 */
export function addresses(page: URL, query: URLSearchParams): Addresses {
  const at = (name: ServiceName) => override(query.get(name), page) ?? standard(name, page);
  return { auth: at("auth"), license: at("license"), export: at("export") };
}

/** The query that passes the current overrides on to another tab or a reload. */
export function overrides(query: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of Object.keys(PORTS)) {
    const value = query.get(name);
    if (value !== null) {
      kept.set(name, value);
    }
  }
  return kept.size === 0 ? "" : `?${kept}`;
}

function standard(name: ServiceName, page: URL): string {
  return `${page.protocol}//${page.hostname}:${PORTS[name]}`;
}

function override(raw: string | null, page: URL): string | undefined {
  if (raw === null || !URL.canParse(raw)) {
    return undefined;
  }
  const url = new URL(raw);
  const sameHost = url.hostname === page.hostname && url.protocol === page.protocol;
  return sameHost ? url.origin : undefined;
}
