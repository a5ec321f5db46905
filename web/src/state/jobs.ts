import type { ExportProgress } from "../connection/notification.ts";
import type { JobStatus } from "../services/export.ts";
import { Changes } from "./changes.ts";

export interface Job {
  readonly id: string;
  readonly percent: number;
  readonly stage: string;
  readonly status: "running" | "done" | "failed";
  readonly reason: string;
}

const LIMIT = 6;

/** The newest export jobs of this user, in whichever tab they were started. */
export class Jobs {
  readonly changes = new Changes();
  readonly #jobs = new Map<string, Job>();

  /** Newest first. */
  list(): Job[] {
    return [...this.#jobs.values()].reverse();
  }

  running(): Job[] {
    return this.list().filter((job) => job.status === "running");
  }

  started(id: string): void {
    if (!this.#jobs.has(id)) {
      this.#set({ id, percent: 0, stage: "", status: "running", reason: "" });
    }
  }

  /** A late step never moves a job back: steps are repeated after a reconnect. */
  progress({ job, percent, stage }: ExportProgress): void {
    const known = this.#jobs.get(job);
    if (known === undefined || (known.status === "running" && percent >= known.percent)) {
      this.#set({ id: job, percent, stage, status: "running", reason: "" });
    }
  }

  /** The service's answer once the job has ended. */
  ended(id: string, { status, reason = "" }: JobStatus): void {
    const known = this.#jobs.get(id);
    if (known !== undefined && status !== "running") {
      this.#set({ ...known, percent: status === "done" ? 100 : known.percent, status, reason });
    }
  }

  #set(job: Job): void {
    this.#jobs.set(job.id, job);
    for (const oldest of this.#jobs.keys()) {
      if (this.#jobs.size <= LIMIT) {
        break;
      }
      this.#jobs.delete(oldest);
    }
    this.changes.tell();
  }
}
