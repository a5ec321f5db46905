import type { Session } from "../session/session.ts";
import { call, callJson, field, ServiceError } from "./http.ts";

export type ExportKind = "usage-report" | "broken";

/** A job's progress, as the export service returns it. */
export interface JobStatus {
  readonly status: "running" | "done" | "failed";
  readonly reason?: string;
}

/** The export service: jobs that run in the background, and their files. */
export class ExportService {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /** Starts a job for the org and returns its id. */
  async start(session: Session, org: string, kind: ExportKind): Promise<string> {
    const answer = await callJson("export", `${this.#base}/exports`, {
      method: "POST",
      token: session.token,
      org,
      body: { kind },
    });
    const job = field(answer, "job_id");
    if (job === undefined) {
      throw new ServiceError(200, "The export service gave no job id.");
    }
    return job;
  }

  async status(session: Session, job: string): Promise<JobStatus> {
    const answer = await callJson("export", `${this.#base}/exports/${encodeURIComponent(job)}`, {
      token: session.token,
    });
    return readStatus(answer);
  }

  /** The address of a job's finished file. */
  downloadUrl(job: string): string {
    return `${this.#base}/exports/${encodeURIComponent(job)}/download`;
  }

  /** Fetches a finished file; a plain link cannot carry the token. */
  async download(session: Session, url: string): Promise<{ file: Blob; name: string }> {
    const response = await call("export", url, { token: session.token });
    return { file: await response.blob(), name: fileName(response, url) };
  }
}

/** Reads the service's status words. */
export function readStatus(answer: unknown): JobStatus {
  switch (field(answer, "status")) {
    case "completed":
      return { status: "done" };
    case "failed":
      return { status: "failed", reason: field(answer, "reason") ?? "" };
    default:
      return { status: "running" };
  }
}

function fileName(response: Response, url: string): string {
  const header = response.headers.get("content-disposition") ?? "";
  const named = /filename="?([A-Za-z0-9][A-Za-z0-9._-]{0,100})"?/.exec(header)?.[1];
  return named ?? `export-${url.split("/").at(-2) ?? "file"}.csv`;
}
