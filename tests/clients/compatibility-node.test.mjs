// The official client in Node.js.

import * as signalR from "@microsoft/signalr";
import * as msgpack from "@microsoft/signalr-protocol-msgpack";
import { COMBINATIONS_OF_JAVASCRIPT } from "./combinations.mjs";
import { matrix } from "./compatibility/matrix.mjs";
import { open } from "./compatibility/official.mjs";
import { Tab } from "./compatibility/tab.mjs";

class NodeTab extends Tab {
  static async connect(options) {
    const tab = new NodeTab();
    Object.assign(tab, await open({ ...options, signalR, msgpack, report: (event) => tab.report(event) }));
    return tab;
  }
}

matrix({
  name: "node",
  title: "JavaScript in Node.js",
  versions: { "@microsoft/signalr": signalR.VERSION },
  combinations: COMBINATIONS_OF_JAVASCRIPT,
  connect: (options) => NodeTab.connect(options),
});
