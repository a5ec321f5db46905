/** The page's formats of times and names. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });

/** The time of day, with the day if it is not today. */
export function moment(at: number, now: number): string {
  const today = new Date(at).toDateString() === new Date(now).toDateString();
  return today ? CLOCK.format(at) : `${DAY.format(at)}, ${CLOCK.format(at)}`;
}

/** A user's id as a name: `alice` becomes `Alice`. */
export function nameOf(user: string): string {
  return user.charAt(0).toUpperCase() + user.slice(1);
}

/** A greeting for the hour of the day. */
export function greeting(hour: number): string {
  if (hour < 5 || hour >= 18) {
    return "Good evening";
  }
  return hour < 12 ? "Good morning" : "Good afternoon";
}
