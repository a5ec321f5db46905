// pysignalr from PyPI, which supports only WebSockets.

import { COMBINATIONS } from "./combinations.mjs";
import { matrix } from "./compatibility/matrix.mjs";
import { pythonClient } from "./compatibility/python.mjs";

const combinations = COMBINATIONS.filter(({ transport }) => transport === "WebSockets");
const again = "the application has to call run() again: it ends when the server cannot be reached for a moment";
const notes = { reconnect: again, drain: again };
matrix(pythonClient("pysignalr", { title: "Python: pysignalr", combinations, notes }));
