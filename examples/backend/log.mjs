// Log lines of a backend: a level, a sentence and fields. Ids only: no names, mail addresses or payloads.

function write(level, message, fields = {}) {
  const told = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  process.stdout.write(`${new Date().toISOString()} ${level} ${message}${told.join("")}\n`);
}

export const log = {
  info: (message, fields) => write(" INFO", message, fields),
  warn: (message, fields) => write(" WARN", message, fields),
  error: (message, fields) => write("ERROR", message, fields),
};
