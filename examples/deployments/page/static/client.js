// The platform's client: one file, no build. It is served beside the hub, or opened from a file with `?hub=` in its address.

const query = new URLSearchParams(location.search);
const fromFile = location.protocol === "file:";
const HUB = query.get("hub") ?? (fromFile ? "http://127.0.0.1:8080" : location.origin);
const API = query.get("backend") ?? `http://${fromFile ? "127.0.0.1" : location.hostname}:8084`;
const MOST_SHOWN = 10;

const byId = (id) => document.getElementById(id);
const watched = new Set();
let token = sessionStorage.getItem("deployments.token");
let watchesAll = false;
let connection;

function connect() {
  connection = new signalR.HubConnectionBuilder()
    .withUrl(`${HUB}/deploymentHub`, { accessTokenFactory: () => token })
    .withAutomaticReconnect({
      // At once, then after 2 and 10 seconds, then every 30.
      nextRetryDelayInMilliseconds: ({ previousRetryCount }) => [0, 2_000, 10_000][previousRetryCount] ?? 30_000,
    })
    .configureLogging(signalR.LogLevel.Warning)
    .build();
  connection.on("DeploymentStatusChanged", showStatus);
  connection.on("DeploymentProgress", showProgress);
  connection.on("logout", leave);
  connection.onreconnecting(() => showState("connecting"));
  connection.onreconnected(async () => {
    showState("connected");
    // Subscriptions belong to a connection, and this is a new one.
    await Promise.all([...watched].map((id) => call("SubscribeToDeployment", id)));
    if (watchesAll) {
      await call("SubscribeToAllDeployments");
    }
  });
  connection.onclose(() => showState("disconnected"));
  showState("connecting");
  return connection.start().then(
    () => showState("connected"),
    (error) => (error.message.includes("401") ? leave() : showState("disconnected")),
  );
}

/** Calls the hub; a refusal is shown with the hub's own text. */
async function call(method, ...values) {
  byId("notice").textContent = "";
  try {
    await connection.invoke(method, ...values);
    return true;
  } catch (error) {
    byId("notice").textContent = error.message.replace(/^.*HubException: /, "");
    return false;
  }
}

async function api(method, path, body) {
  const answer = await fetch(API + path, {
    method,
    headers: { "content-type": "application/json", ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const value = text === "" ? undefined : JSON.parse(text);
  if (!answer.ok) {
    throw new Error(value?.error ?? `the service answered ${answer.status}`);
  }
  return value;
}

function showState(state) {
  byId("state").dataset.state = state;
  byId("state").textContent = state;
}

function rowOf(id) {
  const known = document.getElementById(`deployment-${id}`);
  if (known !== null) {
    return known;
  }
  const row = document.createElement("li");
  row.id = `deployment-${id}`;
  row.className = "deployment";
  row.dataset.testid = "deployment";
  const name = document.createElement("code");
  name.textContent = id;
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.value = 0;
  bar.setAttribute("aria-label", `Progress of ${id}`);
  const status = document.createElement("span");
  status.className = "muted";
  status.textContent = "waiting";
  row.append(name, bar, status);
  byId("deployments").prepend(row);
  byId("deployments").children[MOST_SHOWN]?.remove();
  return row;
}

function showStatus({ ExecutionId, Status, Details }) {
  if (watched.has(ExecutionId)) {
    const row = rowOf(ExecutionId);
    row.dataset.status = Status;
    row.lastChild.textContent = `${Status}: ${Details.Stages.map((one) => `${one.StageName} ${one.Status}`).join(", ")}`;
  }
  if (watchesAll) {
    const row = document.createElement("li");
    const text = document.createElement("span");
    text.className = "grow";
    text.textContent = `${Details.Request.Module.Name} ${Details.Request.Module.Version}: ${Details.CurrentStage}`;
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = Status;
    row.append(text, badge);
    byId("statuses").prepend(row);
    byId("statuses").children[MOST_SHOWN]?.remove();
  }
}

function showProgress({ ExecutionId, Progress }) {
  rowOf(ExecutionId).querySelector("progress").value = Progress;
}

function show(user) {
  byId("signed-out").hidden = user !== undefined;
  byId("signed-in").hidden = user === undefined;
  byId("who").textContent = user === undefined ? "" : `${user.user} of ${user.org}`;
}

function leave() {
  sessionStorage.removeItem("deployments.token");
  token = null;
  watched.clear();
  watchesAll = false;
  void connection?.stop();
  byId("deployments").replaceChildren();
  byId("statuses").replaceChildren();
  show(undefined);
}

async function subscribe(id) {
  if (await call("SubscribeToDeployment", id)) {
    watched.add(id);
    rowOf(id);
    return true;
  }
  return false;
}

for (const button of document.querySelectorAll("[data-user]")) {
  button.addEventListener("click", async () => {
    try {
      const user = await api("POST", "/login", { user: button.dataset.user, password: "demo" });
      token = user.access_token;
      sessionStorage.setItem("deployments.token", token);
      show(user);
      await connect();
    } catch (error) {
      byId("sign-in-notice").textContent = error.message;
    }
  });
}
byId("sign-out").addEventListener("click", () => api("POST", "/logout").finally(leave));
byId("watch").addEventListener("submit", (event) => {
  event.preventDefault();
  void subscribe(byId("execution").value);
});
byId("unsubscribe").addEventListener("click", async () => {
  const id = byId("execution").value;
  if (await call("UnsubscribeFromDeployment", id)) {
    watched.delete(id);
  }
});
byId("start").addEventListener("click", async () => {
  const executionId = crypto.randomUUID();
  byId("execution").value = executionId;
  // The subscription first, so that nothing of it is missed.
  if (await subscribe(executionId)) {
    const body = { executionId, module: { name: "shop", version: "1.4.0" }, targetEnvironment: "Staging" };
    await api("POST", "/api/deployments", body).catch((error) => {
      byId("notice").textContent = error.message;
    });
  }
});
byId("all").addEventListener("click", async () => {
  if (await call(watchesAll ? "UnsubscribeFromAllDeployments" : "SubscribeToAllDeployments")) {
    watchesAll = !watchesAll;
    byId("all").setAttribute("aria-pressed", String(watchesAll));
    byId("all").textContent = watchesAll ? "Stop watching" : "Watch all";
  }
});

if (token !== null) {
  api("GET", "/me").then(
    (user) => {
      show(user);
      return connect();
    },
    () => leave(),
  );
}
