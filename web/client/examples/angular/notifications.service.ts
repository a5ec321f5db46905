// A service that components inject: the state as a signal, targets as observables.

import { Client, type ConnectionState, type End, type FixedTargets, type Membership } from "@fanfare/client";
import { Injectable, NgZone, inject, signal, type OnDestroy } from "@angular/core";
import { Observable, Subject } from "rxjs";

/** What the routes of the hub send. */
export interface Targets extends FixedTargets {
  DashboardUpdate: [update: { metrics: unknown; trends: unknown }];
}

@Injectable({ providedIn: "root" })
export class NotificationsService implements OnDestroy {
  readonly #zone = inject(NgZone);
  readonly #state = signal<ConnectionState>("closed");
  readonly #ended = new Subject<End>();
  readonly #gaps = new Subject<void>();
  #client: Client<Targets> | undefined;

  readonly state = this.#state.asReadonly();
  /** The user was logged out, or may not use the hub any more: show the sign-in. */
  readonly ended: Observable<End> = this.#ended;
  /** Something is missing: fetch the state anew. */
  readonly gaps: Observable<void> = this.#gaps;

  /** Once the user is signed in. Handlers that are subscribed right after it miss nothing. */
  start(user: string, accessToken: () => Promise<string>): void {
    this.#client?.stop();
    const client = new Client<Targets>({ hub: "/hubs/analytics", user, accessToken });
    client.onState((state) => this.#zone.run(() => this.#state.set(state)));
    client.onGap(() => this.#zone.run(() => this.#gaps.next()));
    client.onEnd((end) => this.#zone.run(() => this.#ended.next(end)));
    this.#client = client;
    // Its timers and sockets must not trigger change detection.
    this.#zone.runOutsideAngular(() => client.start());
  }

  stop(): void {
    this.#client?.stop();
    this.#client = undefined;
  }

  ngOnDestroy(): void {
    this.stop();
  }

  /** The arguments of each call of a target. */
  on<K extends keyof Targets>(target: K): Observable<Targets[K]> {
    return new Observable((heard) =>
      this.#open().on(target, (...args) => this.#zone.run(() => heard.next(args))),
    );
  }

  invoke<Answer>(method: string, ...args: unknown[]): Promise<Answer> {
    return this.#open().invoke<Answer>(method, ...args);
  }

  join(method: string, ...args: unknown[]): Promise<Membership> {
    return this.#open().join(method, args);
  }

  #open(): Client<Targets> {
    if (this.#client === undefined) {
      throw new Error("NotificationsService is used before start");
    }
    return this.#client;
  }
}
