/** Which links of a notification may become a link on the page. */

/** A link that was found safe for an `href`. Only `safeLink` creates one. */
export interface SafeLink {
  readonly href: string;
  /** `download` needs the session's token, so the page fetches it; the others are plain anchors. */
  readonly kind: "page" | "elsewhere" | "download";
}

/** The targets of relative links and export downloads. */
export interface LinkBases {
  /** The origin that served the page. */
  readonly page: string;
  /** The origin of the export service. */
  readonly exports: string;
}

const MAX_LENGTH = 2048;
const DOWNLOAD_PATH = /^\/exports\/[A-Za-z0-9._~-]{1,128}\/download$/;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
// Browsers drop tabs and newlines inside a URL and read a backslash as a slash, so a link with one of them is not what
// it seems.
const DISGUISED = /[\u0000-\u0020\u007f-\u009f\u00a0\u2028\u2029\ufeff\\]/;

/**
 * Checks a link from a notification: http, https or relative to the page, else `undefined`.
 * Links with credentials, protocol-relative links and disguised schemes are refused.
 */
export function safeLink(raw: unknown, bases: LinkBases): SafeLink | undefined {
  if (typeof raw !== "string" || raw === "" || raw.length > MAX_LENGTH || DISGUISED.test(raw)) {
    return undefined;
  }
  const absolute = SCHEME.test(raw);
  const url = parse(raw, bases.page);
  if (url === undefined || !isWeb(url) || url.username !== "" || url.password !== "") {
    return undefined;
  }
  if (!absolute && url.origin !== bases.page) {
    return undefined; // `//elsewhere.example` looks relative and is not
  }
  if (DOWNLOAD_PATH.test(url.pathname) && (!absolute || url.origin === bases.exports)) {
    return { href: bases.exports + url.pathname, kind: "download" };
  }
  return { href: url.href, kind: url.origin === bases.page ? "page" : "elsewhere" };
}

function parse(raw: string, base: string): URL | undefined {
  try {
    return new URL(raw, base);
  } catch {
    return undefined;
  }
}

function isWeb(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}
