// Validates Kubernetes objects of custom kinds against their schemas: a JSON array on the input, one line for each
// fault on the output.

const PACKAGES = {
  "cert-manager.io": "cert-manager",
  "external-secrets.io": "external-secrets",
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

/** The same value, which tells `read` the path of each member that is asked for. */
function watched(value, path, read) {
  if (value === null || typeof value !== "object") {
    return value;
  }
  return new Proxy(value, {
    get(target, name) {
      const member = target[name];
      if (typeof name === "symbol" || !Object.hasOwn(target, name)) {
        return member;
      }
      read.add(`${path}.${name}`);
      return watched(member, `${path}.${name}`, read);
    },
  });
}

/** The paths of all members, down to those that nobody asked for. */
function* unread(value, path, read) {
  for (const [name, member] of Object.entries(value ?? {})) {
    const at = `${path}.${name}`;
    if (!read.has(at)) {
      yield at;
    } else if (typeof member === "object") {
      yield* unread(member, at, read);
    }
  }
}

/** The faults of one object. A cluster drops what its schema does not name, so that is a fault, too. */
async function faults(object) {
  const [group] = object.apiVersion.split("/");
  const { [object.kind]: Kind } = await import(`@kubernetes-models/${PACKAGES[group]}/${object.apiVersion}/${object.kind}`);
  const read = new Set();
  try {
    const checked = new Kind(object);
    // After the constructor, which copies and therefore reads everything.
    checked.spec = watched(object.spec, "spec", read);
    checked.validate();
  } catch (error) {
    return [error.message.replaceAll("\n", " ")];
  }
  return [...unread(object.spec, "spec", read)].map((path) => `${path} is unknown`);
}

let text = "";
for await (const chunk of process.stdin) {
  text += chunk;
}
for (const object of JSON.parse(text)) {
  for (const fault of await faults(object)) {
    console.log(`${object.kind} ${object.metadata.name}: ${fault}`);
  }
}
