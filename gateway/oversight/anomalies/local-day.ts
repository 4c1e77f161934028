const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000

/** The minutes that a time zone is ahead of UTC at a time; undefined for an unknown zone. @param at milliseconds since the epoch */
export function localOffset(timeZone: string, at: number): number | undefined {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(at)
    const [, sign, hours, minutes] =
      /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? []
    return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  } catch {
    return undefined
  }
}

/** The local day of a time: `2026-03-01`. @param offset minutes ahead of UTC */
export const localDay = (at: number, offset: number): string => new Date(at + offset * MINUTE_MS).toISOString().slice(0, 10)

/** The first moment of the local day of a time. */
export const startOfDay = (at: number, offset: number): number => {
  const local = at + offset * MINUTE_MS
  return local - (((local % DAY_MS) + DAY_MS) % DAY_MS) - offset * MINUTE_MS
}

/** The number of a local day: days since the epoch. */
export const dayNumber = (day: string): number => Date.parse(`${day}T00:00:00Z`) / DAY_MS

/** Whether a local day is Saturday or Sunday. */
export const isWeekend = (day: string): boolean => [0, 6].includes(new Date(`${day}T00:00:00Z`).getUTCDay())
