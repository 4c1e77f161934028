import type { AccessAggregates } from './aggregates.ts'
import { dayNumber, isWeekend, localDay } from './local-day.ts'

/** On which share of the baseline's days users work in an hour. Weekends are apart. */
export class HourHabits {
  readonly #days = new Map<string, number>()
  readonly #calendar: { readonly weekend: number; readonly weekday: number }

  constructor({ habits, span }: Pick<AccessAggregates, 'habits' | 'span'>) {
    for (const { user_id, is_weekend, hour_of_day, days } of habits)
      this.#days.set(`${user_id}\n${is_weekend} ${hour_of_day}`, days)
    const first = dayNumber(localDay(span.baselineFrom, span.offset))
    const days = Array.from({ length: dayNumber(span.firstDay) - first }, (_, at) => new Date((first + at) * 86_400_000))
    const weekend = days.filter((day) => isWeekend(day.toISOString().slice(0, 10))).length
    this.#calendar = { weekend, weekday: days.length - weekend }
  }

  /**
   * The share of calendar days on which a user works in an hour, as the mean over users; 0 without any user.
   *
   * @param around hours before and after that count too
   */
  shareOf(users: readonly string[], day: string, hour: number, around: 0 | 1): number {
    const weekend = isWeekend(day)
    const calendar = weekend ? this.#calendar.weekend : this.#calendar.weekday
    if (users.length === 0 || calendar === 0) return 0
    let days = 0
    for (const user of users)
      for (let shift = -around; shift <= around; shift++)
        days += this.#days.get(`${user}\n${weekend ? 1 : 0} ${(hour + shift + 24) % 24}`) ?? 0
    return days / (users.length * calendar)
  }
}
