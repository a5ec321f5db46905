// Deployments and their stages. Each step is one commit with the event that reports it.

import { randomUUID } from "node:crypto";

const STAGES = ["Validation", "Build", "Deploy", "Verification"];
const STEP_MS = 250;
const STEPS_OF_STAGE = 4;

export class Pipeline {
  #store;

  constructor(store) {
    this.#store = store;
  }

  /** Continues what ran when the service ended. */
  goOn() {
    for (const { state } of this.#store.list("deployment/")) {
      if (state.Status === "Running") {
        this.#later(state.ExecutionId);
      }
    }
  }

  /** The deployment with this id: its org and its state. */
  find(id) {
    return this.#store.get(`deployment/${id}`);
  }

  of(org) {
    const own = this.#store.list("deployment/").filter((one) => one.org === org && !one.hidden);
    return own.map(({ state }) => state).reverse();
  }

  hide(id) {
    this.#store.commit({ [`deployment/${id}`]: { ...this.find(id), hidden: true } });
  }

  start({ org, module, targetEnvironment, executionId = randomUUID(), failsAt }, caused) {
    const now = new Date().toISOString();
    const state = {
      ExecutionId: executionId,
      Request: { Module: { Name: module.name, Version: module.version }, TargetEnvironment: targetEnvironment },
      Status: "Running",
      CurrentStage: STAGES[0],
      Stages: [stage(STAGES[0], now)],
      StartTime: now,
      LastUpdated: now,
    };
    this.#tell({ org, failsAt, step: 0, state }, [status(org, state)], caused);
    this.#later(executionId);
    return state;
  }

  #later(id) {
    // A timer must not keep a stopping service alive.
    setTimeout(() => this.#step(id), STEP_MS).unref();
  }

  #step(id) {
    const { step, state, ...more } = this.find(id);
    const now = new Date().toISOString();
    const next = step + 1;
    const total = STAGES.length * STEPS_OF_STAGE;
    let changed = { ...state, LastUpdated: now };
    if (next % STEPS_OF_STAGE === 0) {
      changed = this.#endStage(changed, STAGES[next / STEPS_OF_STAGE], more.failsAt, now);
    }
    // A deployment that has ended, in whatever way, goes no further.
    const percent = changed.Status === "Running" ? Math.round((next * 100) / total) : 100;
    const events = [progress(more.org, state, percent, now)];
    if (next % STEPS_OF_STAGE === 0) {
      events.push(status(more.org, changed));
    }
    this.#tell({ ...more, step: next, state: changed }, events, {});
    if (changed.Status === "Running") {
      this.#later(id);
    }
  }

  #endStage(state, following, failsAt, now) {
    const failed = state.CurrentStage === failsAt;
    const last = { ...state.Stages.at(-1), Status: failed ? "Failed" : "Succeeded", EndTime: now };
    const done = [...state.Stages.slice(0, -1), last];
    if (failed || following === undefined) {
      return { ...state, Stages: done, Status: failed ? "Failed" : "Succeeded" };
    }
    return { ...state, Stages: [...done, stage(following, now)], CurrentStage: following };
  }

  #tell(deployment, events, caused) {
    const told = events.map((event) => ({ ...event, org: deployment.org, ...caused }));
    this.#store.commit({ [`deployment/${deployment.state.ExecutionId}`]: deployment }, told);
  }
}

function stage(name, now) {
  return { StageName: name, Status: "Running", StartTime: now, EndTime: null };
}

function status(org, state) {
  const { ExecutionId, Status, LastUpdated } = state;
  const body = { org, ExecutionId, Status, UpdatedAt: LastUpdated, Details: state };
  return { type: "deployments.DeploymentStatusChanged", body };
}

function progress(org, { ExecutionId, CurrentStage }, percent, now) {
  const body = { org, ExecutionId, Stage: CurrentStage, Progress: percent, Timestamp: now };
  return { type: "deployments.DeploymentProgress", body };
}
