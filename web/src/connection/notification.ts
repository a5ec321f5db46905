/** The hub's notifications, checked before the rest of the page sees them. */

export const SEVERITIES = ["info", "success", "warning", "error"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What every notification carries. */
interface Envelope {
  readonly id: string;
  readonly cursor: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Toast extends Envelope {
  readonly severity: Severity;
  readonly title: string;
  readonly message: string;
  /** As received: it becomes a link only through `safeLink`. */
  readonly link: string | undefined;
}

export interface FeatureFlag extends Envelope {
  readonly flag: string;
  readonly enabled: boolean;
  readonly removed: boolean;
}

export interface Logout extends Envelope {
  readonly reason: string;
}

export interface ExportProgress extends Envelope {
  readonly job: string;
  readonly percent: number;
  readonly stage: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function readToast(argument: unknown, now: number): Toast | undefined {
  const fields = fieldsOf(argument);
  if (fields === undefined) {
    return undefined;
  }
  const severity = SEVERITIES.find((known) => known === fields["severity"]) ?? "info";
  return {
    ...envelope(fields, now),
    severity,
    title: text(fields["title"], 200),
    message: text(fields["message"], 2000),
    link: typeof fields["link"] === "string" ? fields["link"] : undefined,
  };
}

export function readFeatureFlag(argument: unknown, now: number): FeatureFlag | undefined {
  const fields = fieldsOf(argument);
  if (fields === undefined || typeof fields["flag"] !== "string" || fields["flag"] === "") {
    return undefined;
  }
  const removed = fields["removed"] === true;
  return {
    ...envelope(fields, now),
    flag: text(fields["flag"], 128),
    enabled: fields["enabled"] === true && !removed,
    removed,
  };
}

export function readLogout(argument: unknown, now: number): Logout {
  const fields = fieldsOf(argument) ?? {};
  return { ...envelope(fields, now), reason: text(fields["reason"], 300) };
}

export function readExportProgress(argument: unknown, now: number): ExportProgress | undefined {
  const fields = fieldsOf(argument);
  if (fields === undefined || typeof fields["job_id"] !== "string" || fields["job_id"] === "") {
    return undefined;
  }
  const percent = Number(fields["percent"]);
  return {
    ...envelope(fields, now),
    job: fields["job_id"].slice(0, 128),
    percent: Number.isFinite(percent) ? Math.min(100, Math.max(0, Math.round(percent))) : 0,
    stage: text(fields["stage"], 100),
  };
}

/** The answer to `Resume`. */
export interface Resumed {
  readonly replayed: number;
  /** Whether everything missed has been sent. */
  readonly complete: boolean;
  /** The cursor to call `Resume` with again, if one call was not enough. */
  readonly goOnFrom: string | undefined;
}

export function readResumed(answer: unknown): Resumed {
  const fields = fieldsOf(answer) ?? {};
  const { replayed, complete, more, cursor } = fields;
  return {
    replayed: typeof replayed === "number" ? replayed : 0,
    complete: complete === true,
    goOnFrom: more === true && typeof cursor === "string" && cursor !== "" ? cursor : undefined,
  };
}

function envelope(fields: Fields, now: number): Envelope {
  const at = typeof fields["at"] === "string" ? Date.parse(fields["at"]) : Number(fields["at"] ?? NaN);
  return {
    id: text(fields["id"], 512),
    cursor: typeof fields["cursor"] === "string" && fields["cursor"] !== "" ? fields["cursor"] : undefined,
    at: Number.isFinite(at) ? at : now,
  };
}

function fieldsOf(argument: unknown): Fields | undefined {
  return typeof argument === "object" && argument !== null && !Array.isArray(argument)
    ? (argument as Fields)
    : undefined;
}

function text(value: unknown, longest: number): string {
  if (typeof value !== "string") {
    return "";
  }
  return value.length > longest ? `${value.slice(0, longest - 1)}…` : value;
}
