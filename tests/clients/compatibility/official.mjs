// The official client for JavaScript, the same in Node.js and in a page.

/** Opens a connection with the client's modules; `report` is told what happens on it. */
export async function open({ signalR, msgpack, url, transport, protocol, stateful, token, report }) {
  const options = { transport: signalR.HttpTransportType[transport] };
  if (token !== undefined) {
    options.accessTokenFactory = token;
  }
  let builder = new signalR.HubConnectionBuilder()
    .withUrl(url, options)
    .withHubProtocol(protocol === "messagepack" ? new msgpack.MessagePackHubProtocol() : new signalR.JsonHubProtocol())
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 })
    .configureLogging(signalR.LogLevel.None);
  builder = stateful ? builder.withStatefulReconnect() : builder;
  const connection = builder.build();
  for (const target of ["toast", "Message"]) {
    connection.on(target, (...args) => report({ event: "received", target, arguments: args }));
  }
  connection.onreconnected(() => report({ event: "opened" }));
  connection.onclose((error) => report({ event: "closed", error: error?.message }));
  await connection.start();
  report({ event: "opened" });
  return {
    invoke: (target, ...args) => connection.invoke(target, ...args),
    tell: (target, ...args) => connection.invoke(target, ...args),
    stream: (target) =>
      new Promise((complete, error) => {
        const items = [];
        connection.stream(target).subscribe({ next: (item) => items.push(item), complete: () => complete(items), error });
      }),
    stop: () => connection.stop(),
    connection,
  };
}
