// The services' HTTP calls, as a platform's own back office would make them.

import assert from "node:assert/strict";

export class Api {
  #platform;

  constructor(platform) {
    this.#platform = platform;
  }

  /** Signs in and returns the token. */
  async login(user, password = "demo") {
    const answer = await this.#send("auth", "POST", "/login", undefined, { user, password });
    assert.equal(answer.status, 200, `login of ${user}: ${await answer.clone().text()}`);
    const body = await answer.json();
    assert.equal(body.token_type, "Bearer");
    assert.ok(body.expires_in > 0);
    return body.access_token;
  }

  logout(token, scope) {
    return this.#accepted("auth", "POST", "/logout", token, scope === undefined ? undefined : { scope });
  }

  setRoles(token, user, roles) {
    return this.#accepted("auth", "PUT", `/users/${user}/roles`, token, { roles });
  }

  alert(token, alert) {
    return this.#accepted("auth", "POST", "/alerts", token, { severity: "info", message: "-", ...alert });
  }

  setFlag(token, org, flag, enabled) {
    return this.#accepted("license", "PUT", `/orgs/${org}/flags/${flag}`, token, { enabled });
  }

  removeFlag(token, org, flag) {
    return this.#accepted("license", "DELETE", `/orgs/${org}/flags/${flag}`, token);
  }

  setLicense(token, org, license) {
    return this.#accepted("license", "PUT", `/orgs/${org}/license`, token, license);
  }

  async startExport(token, kind) {
    const { job_id: job } = await this.#accepted("export", "POST", "/exports", token, { kind });
    return job;
  }

  /** What the hub's negotiate answers to a token: its status. */
  async negotiate(token, { query = "", headers = {} } = {}) {
    const url = `${this.#platform.hub}/negotiate?negotiateVersion=1${query}`;
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(url, { method: "POST", headers: { ...bearer, ...headers } });
    await answer.body?.cancel();
    return answer.status;
  }

  async #accepted(service, method, path, token, body) {
    const answer = await this.#send(service, method, path, token, body);
    const text = await answer.text();
    assert.equal(answer.status, 202, `${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? {} : JSON.parse(text);
  }

  #send(service, method, path, token, body) {
    const headers = {};
    if (token !== undefined) {
      headers.authorization = `Bearer ${token}`;
    }
    if (body !== undefined) {
      headers["content-type"] = "application/json";
    }
    return fetch(this.#platform.url(service) + path, { method, headers, body: body && JSON.stringify(body) });
  }
}
