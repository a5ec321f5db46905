// One process of tls.test.mjs: a node whose hubs speak TLS, and the official client over each transport.

import { FanfareNode } from "./fanfare-node.mjs";
import { ReturningTab, forgetEventSources, hearsAll } from "./returning-tab.mjs";

const [cert, key] = process.argv.slice(2);
const node = await FanfareNode.start("tls", { tls: { cert, key } });
try {
  for (const transport of ["WebSockets", "ServerSentEvents", "LongPolling"]) {
    const tab = await ReturningTab.open({ hub: node.hub(), token: node.token("alice"), transport });
    await node.alert(transport);
    await hearsAll(tab, [transport]);
    await tab.stop();
    console.log(`heard ${transport}`);
  }
} finally {
  forgetEventSources();
  await node.end();
}
process.exit(0);
