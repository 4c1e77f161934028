import type { ComputedFields } from '../../gateway/index.ts'

export const dentalComputed: ComputedFields = {
  'Client.age': ([birthDate], now) => (typeof birthDate === 'string' ? yearsSince(birthDate, now) : undefined),
}

/** Whole years from a date to `now`, in milliseconds since the epoch; undefined for a partial date. */
function yearsSince(date: string, now: number): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date) ?? []
  if (year === undefined) return undefined
  const today = new Date(now)
  const [monthNow, dayNow] = [today.getUTCMonth() + 1, today.getUTCDate()]
  const isBeforeBirthday = monthNow < Number(month) || (monthNow === Number(month) && dayNow < Number(day))
  return today.getUTCFullYear() - Number(year) - (isBeforeBirthday ? 1 : 0)
}
