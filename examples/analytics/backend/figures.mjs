// The figures of each organisation's dashboard.

const NOTHING = { metrics: { activeSessions: 0, sessionsToday: 0, aiSeconds: 0 }, trends: { tools: {} } };

export class Figures {
  #store;

  constructor(store) {
    this.#store = store;
  }

  of(org) {
    return this.#store.get(`figures/${org}`) ?? NOTHING;
  }

  /** The values to store for a session that starts. */
  begin(org, session) {
    const { metrics, trends } = this.of(org);
    const more = { activeSessions: metrics.activeSessions + 1, sessionsToday: metrics.sessionsToday + 1 };
    return {
      [`session-of/${org}/${session.sessionId}`]: session,
      [`figures/${org}`]: { metrics: { ...metrics, ...more }, trends },
    };
  }

  /** The values to store for one that ends, and its events; undefined if none runs. */
  end(org, id) {
    const session = this.#store.get(`session-of/${org}/${id}`);
    if (session === undefined) {
      return undefined;
    }
    const duration = Math.round((Date.now() - Date.parse(session.startTime)) / 1000);
    const { metrics, trends } = this.of(org);
    const figures = { metrics: { ...metrics, activeSessions: metrics.activeSessions - 1 }, trends };
    return {
      values: { [`session-of/${org}/${id}`]: null, [`figures/${org}`]: figures },
      session: { sessionId: id, duration, aiUsageTime: Math.min(duration, metrics.aiSeconds) },
    };
  }

  /** The values to store for a used tool. */
  use(org, tool, seconds) {
    const { metrics, trends } = this.of(org);
    const tools = { ...trends.tools, [tool]: (trends.tools[tool] ?? 0) + seconds };
    const figures = { metrics: { ...metrics, aiSeconds: metrics.aiSeconds + seconds }, trends: { tools } };
    return { [`figures/${org}`]: figures };
  }

  /** The event that reports new figures. */
  told(values) {
    const [figures] = Object.entries(values).flatMap(([key, value]) => (key.startsWith("figures/") ? [value] : []));
    return ["analytics.DashboardUpdate", figures];
  }
}
