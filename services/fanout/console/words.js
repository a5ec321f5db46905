// Numbers and times as people read them.

/** What would be invisible, or would turn around what stands beside it. Lines and tabs stay. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text of the world as it can be read: marks that nobody sees stand there by their numbers. */
export function plain(text) {
  const escaped = (mark) => `\\u{${mark.codePointAt(0).toString(16)}}`;
  return text.replace(UNSEEN, (mark) => (mark === "\n" || mark === "\t" ? mark : escaped(mark)));
}

const NUMBERS = new Intl.NumberFormat("en");

export function number(value) {
  return NUMBERS.format(Math.round(value));
}

export function counted(count, what) {
  return `${number(count)} ${what}${count === 1 ? "" : "s"}`;
}

export function bytes(value) {
  return value === undefined ? undefined : `${number(value / 2 ** 20)} MiB`;
}

export function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export function rate(perSecond) {
  if (perSecond === undefined) return "…";
  return `${perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : number(perSecond)}/s`;
}

/** A time of this day, or with its date. */
export function time(at) {
  const when = new Date(at);
  const clock = when.toLocaleTimeString("en-GB");
  return when.toDateString() === new Date().toDateString() ? clock : `${when.toLocaleDateString("en-CA")} ${clock}`;
}

/** What a list of names and counts says, the most first. */
export function counts(map = {}) {
  const entries = Object.entries(map).filter(([, count]) => count > 0);
  entries.sort(([, one], [, other]) => other - one);
  return entries.map(([name, count]) => `${name} ${number(count)}`).join(", ");
}
