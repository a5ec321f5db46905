import type { Entry } from "../inbox/entry.ts";
import { isHidden, onShown } from "./lifecycle.ts";
import type { Message, Report } from "./message.ts";
import type { Role, TabParts } from "./role.ts";

/** How often a tab without an answer asks again. */
const ASK_MS = 2_000;
/** How long the leading tab may be silent before it is asked for a sign of life, and how long it has to answer. */
const SILENCE_MS = 10_000;
const ANSWER_MS = 5_000;
/** After this many unanswered questions the connection is taken over. */
const MOST_SILENT = 2;
const MOST_UNHEARD = 10;
/** When more than this waits for an answer, it is requested again. */
const MOST_HELD = 1_000;

/** How the tab compares with the leading one. */
type Phase =
  | { readonly is: "looking" }
  /** It lacks some entries and has asked for them; later ones wait for them. */
  | { readonly is: "asking"; readonly missing: number; readonly held: Entry[] }
  | { readonly is: "in step" };

/** Another tab has the connection: this one gets its entries. */
export class Following implements Role {
  readonly #tab: TabParts;
  readonly #takeOver: () => void;
  #phase: Phase = { is: "looking" };
  #leader: string | undefined;
  #told = 0;
  #silent = 0;
  /** The leading tab has lost its connection while it is in the background. */
  #isStuck = false;
  readonly #unfollow: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `takeOver` if the leading tab gives no sign of life. */
  constructor(tab: TabParts, takeOver: () => void) {
    this.#tab = tab;
    this.#takeOver = takeOver;
    this.#unfollow = onShown(() => this.#freeStuck());
    tab.calls.carryBy(undefined);
    this.#look(!tab.inbox.hasBegun);
    this.#wait();
  }

  receive(message: Message): void {
    if (message.type === "leads") {
      this.#leads(message.from, message.report);
    } else if (message.from === this.#leader) {
      this.#silent = 0;
      this.#hearLeader(message);
    } else if (message.type === "heard" && this.#phase.is !== "looking") {
      // Another tab leads now, and its announcement was missed.
      this.#look();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#unfollow();
  }

  #hearLeader(message: Message): void {
    const { calls, registry, memberships } = this.#tab;
    switch (message.type) {
      case "heard":
        this.#heard(message.told, message.entry);
        break;
      case "given":
        this.#given(message.entries);
        break;
      case "state":
        this.#become(message);
        break;
      case "groups":
        registry.replace(message.groups);
        break;
      case "lost":
        memberships.lost(message.key, new Error(message.error));
        break;
      case "alive":
        if (message.told !== this.#told) {
          this.#look();
        }
        break;
      case "taken":
        calls.taken(message.n);
        break;
      case "answer":
        calls.answered(message.n, message.outcome);
        break;
      case "over":
        this.#tab.ended(message.end);
        break;
      default:
        // Other tabs' questions.
        break;
    }
  }

  #leads(from: string, report: Report): void {
    const { inbox, channel } = this.#tab;
    const comparison = inbox.compare(report.ids);
    this.#silent = 0;
    if ((comparison.is === "new" || comparison.is === "apart") && report.retained === undefined) {
      this.#look(true);
      return;
    }
    const isAnother = from !== this.#leader;
    this.#leader = from;
    this.#told = report.told;
    this.#phase = { is: "in step" };
    if (comparison.is === "behind") {
      this.#phase = { is: "asking", missing: comparison.missing.length, held: [] };
      channel.say({ type: "want", to: from, ids: comparison.missing });
    } else if (comparison.is !== "level") {
      inbox.adopt(report.ids, report.cursor, report.retained ?? []);
    }
    this.#follow(from, report, isAnother, comparison.is === "apart" || report.isWhole === false);
  }

  #follow(leader: string, report: Report, isAnother: boolean, isMissing: boolean): void {
    const { registry, calls, channel, memberships, id } = this.#tab;
    registry.replace(report.groups);
    if (isAnother) {
      calls.carryBy((n, request) => channel.say({ type: "call", to: leader, n, request }));
    }
    // The leading tab does not know these groups, so they received nothing while this tab was away.
    const wasOut = memberships.rejoin((key) => registry.has(id, key));
    if (isMissing || wasOut) {
      this.#tab.inbox.miss();
    }
    this.#become(report);
  }

  #become({ state, isHidden }: Pick<Report, "state" | "isHidden">): void {
    this.#isStuck = state === "reconnecting" && isHidden;
    this.#tab.state(state);
    this.#freeStuck();
  }

  /** A visible tab need not wait for the timers of one in the background, which may run once a minute. */
  #freeStuck(): void {
    if (this.#isStuck && !isHidden()) {
      this.#isStuck = false;
      this.#takeOver();
    }
  }

  #heard(told: number, entry: Entry): void {
    if (this.#phase.is === "looking") {
      return;
    }
    if (told !== this.#told + 1) {
      this.#look();
      return;
    }
    this.#told = told;
    if (this.#phase.is === "in step") {
      this.#tab.inbox.hear(entry);
    } else if (this.#phase.held.length < MOST_HELD) {
      this.#phase.held.push(entry);
    } else {
      this.#look();
    }
  }

  #given(entries: readonly Entry[]): void {
    if (this.#phase.is !== "asking") {
      return;
    }
    const { missing, held } = this.#phase;
    this.#phase = { is: "in step" };
    [...entries, ...held].forEach((entry) => this.#tab.inbox.hear(entry));
    if (entries.length < missing) {
      this.#tab.inbox.miss();
    }
  }

  #look(begins = false): void {
    this.#phase = { is: "looking" };
    this.#tab.channel.say({ type: "hello", begins });
  }

  #wait(): void {
    const isInStep = this.#phase.is === "in step";
    const wait = !isInStep ? ASK_MS : this.#silent > 0 ? ANSWER_MS : SILENCE_MS;
    this.#timer = setTimeout(() => {
      this.#ask();
      this.#wait();
    }, wait);
  }

  /** Any message of the leading tab resets the count. */
  #ask(): void {
    this.#silent += 1;
    if (this.#phase.is === "in step") {
      if (this.#silent > MOST_SILENT) {
        this.#takeOver();
      } else if (this.#leader !== undefined) {
        this.#tab.channel.say({ type: "probe", to: this.#leader });
      }
    } else if (this.#silent > MOST_UNHEARD) {
      this.#takeOver();
    } else {
      this.#look(!this.#tab.inbox.hasBegun);
    }
  }
}
