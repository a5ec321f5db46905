import type { ExportKind, ExportService } from "../services/export.ts";
import type { Session } from "../session/session.ts";
import type { Job, Jobs } from "../state/jobs.ts";
import { testid } from "../testids.ts";
import { button, panel, perform } from "./controls.ts";
import { h, KeyedList } from "./dom.ts";
import { icon } from "./icons.ts";
import type { Download } from "./link.ts";

export interface ExportsPanelProps {
  readonly jobs: Jobs;
  readonly exports: ExportService;
  readonly session: Session;
  readonly org: string;
  readonly download: Download;
}

/** Starts exports and shows their progress; every tab of the user sees the same bars. */
export function exportsPanel({ jobs, exports, session, org, download }: ExportsPanelProps): HTMLElement {
  const says = h("output", { class: "outcome" });
  const actions = h("div", { class: "actions" });
  const start = (kind: ExportKind) =>
    void perform(actions, says, "", async () => jobs.started(await exports.start(session, org, kind)));
  actions.append(
    button("Export report", {
      look: "primary",
      icon: "file",
      testid: testid.exportStart,
      onclick: () => start("usage-report"),
    }),
    button("One that fails", { look: "quiet", testid: testid.exportBroken, onclick: () => start("broken") }),
  );

  const list = h("ul", { class: "jobs" });
  const rows = new KeyedList<Job>(
    list,
    (job) => job.id,
    (job) => jobRow(job, () => void download(exports.downloadUrl(job.id))),
    showJob,
  );
  const show = () => rows.show(jobs.list());
  show();
  jobs.changes.listen(show);

  return panel(
    "Exports",
    "file",
    { class: "exports-panel" },
    h(
      "p",
      { class: "panel-lead muted" },
      "A job runs in the background; its progress and its end reach all your tabs.",
    ),
    actions,
    says,
    list,
  );
}

function jobRow(job: Job, download: () => void): HTMLElement {
  const bar = h("progress", {
    class: "bar-track",
    testid: testid.exportProgress,
    attrs: { max: 100, "aria-label": "Export progress" },
  });
  return h(
    "li",
    { class: "job", testid: testid.exportJob, attrs: { "data-job": job.id } },
    h(
      "div",
      { class: "job-head" },
      h("span", { class: "job-icon" }),
      h("span", { class: "job-stage" }),
      h("span", { class: "job-percent" }),
    ),
    bar,
    button("Download", { icon: "download", look: "quiet", testid: testid.exportDownload, onclick: download }),
  );
}

function showJob(element: Element, job: Job): void {
  const part = (name: string) => element.querySelector(name) as HTMLElement;
  element.setAttribute("data-status", job.status);
  const bar = part("progress") as HTMLProgressElement;
  bar.value = job.percent;
  bar.hidden = job.status === "failed";
  part("button").hidden = job.status !== "done";
  part(".job-percent").textContent = job.status === "running" ? `${job.percent}%` : "";
  part(".job-stage").textContent = wordsOf(job);
  const drawn = job.status === "running" ? "file" : job.status === "done" ? "success" : "error";
  part(".job-icon").replaceChildren(icon(drawn));
}

function wordsOf(job: Job): string {
  switch (job.status) {
    case "running":
      return job.stage === "" ? "Waiting to start" : job.stage.charAt(0).toUpperCase() + job.stage.slice(1);
    case "done":
      return "Usage report is ready";
    case "failed":
      return job.reason || "The export failed";
  }
}
