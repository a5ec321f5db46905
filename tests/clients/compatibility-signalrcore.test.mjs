// signalrcore from PyPI.

import { COMBINATIONS } from "./combinations.mjs";
import { matrix } from "./compatibility/matrix.mjs";
import { pythonClient } from "./compatibility/python.mjs";

const late = "its stream() returns once the POST is answered; what comes before has no subscriber yet";
const unauthorized = "its polls carry no token";
const separator = "its long polling waits for 0x1E, which MessagePack does not have";
const gaps = {
  reconnect: "it takes a line that breaks for the end; it only comes back when the server closes",
  drain: "it tries to come back once, and not again if no node listens at that moment",
  expired: "it asks for a token once, when it is started",
  "ServerSentEvents with json: stream": late,
  "LongPolling with json: stream": late,
  "LongPolling with json: receive": unauthorized,
  "LongPolling with messagepack": separator,
};

matrix(pythonClient("signalrcore", { title: "Python: signalrcore", combinations: COMBINATIONS, gaps }));
