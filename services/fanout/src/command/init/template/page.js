// The token comes behind the # of the address, which is not sent to the server. A page of yours asks its own backend.
const token = location.hash.slice(1);

const connection = new signalR.HubConnectionBuilder()
  .withUrl("/hubs/notifications", { accessTokenFactory: () => token })
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 1000 + Math.random() * 2000 })
  .build();

let cursor;

// One handler for each target; each keeps the newest cursor that it sees.
connection.on("NoteAdded", (note) => {
  cursor = note.cursor;
  const item = document.createElement("li");
  item.textContent = `${note.author}: ${note.text}`;
  document.getElementById("notes").prepend(item);
});

// Back after a lost line: everything that was missed comes again, in order.
async function resume() {
  let answer;
  do {
    answer = await connection.invoke("Resume", answer?.cursor ?? cursor);
  } while (answer.more);
  cursor = answer.cursor;
  say(answer.complete ? "connected" : "connected, and something is missing: load the page again");
}

function say(state) {
  document.getElementById("state").textContent = state;
}

connection.onreconnecting(() => say("reconnecting"));
connection.onreconnected(resume);
connection.onclose(() => say("closed: is the token behind the # of the address, and still good?"));

async function start() {
  try {
    await connection.start();
    cursor = await connection.invoke("Cursor");
    say("connected");
  } catch (error) {
    say(`not connected: ${error.message}`);
  }
}

start();
