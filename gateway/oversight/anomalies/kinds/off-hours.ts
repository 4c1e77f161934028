import type { AccessAggregates } from '../aggregates.ts'
import { HourHabits } from '../hour-habits.ts'
import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf } from '../finding.ts'
import { workforceOf } from '../workforce.ts'

/** Accesses in hours in which neither the user nor the role works. */
export const offHours: KindOfAnomaly = {
  kind: 'OFF_HOURS',
  find: (aggregates, { offHours: { own, peers, requests: least }, habitDays }) => {
    const habits = new HourHabits(aggregates)
    const workforce = workforceOf(aggregates)
    const off = aggregates.hours.filter(({ user_id: user, day, hour_of_day: hour }) => {
      const role = workforce.roleOf(user)
      if (role === undefined) return false
      const others = [...workforce.usersOf(role)].filter((one) => one !== user && workforce.baselineDays(one) >= habitDays)
      return habits.shareOf([user], day, hour, 1) <= own && habits.shareOf(others, day, hour, 0) <= peers
    })
    return [...Map.groupBy(off, ({ user_id }) => user_id).values()].flatMap(nights).flatMap((hours): Finding[] => {
      const [first, last] = [hours[0], hours.at(-1)]
      const requests = hours.reduce((sum, hour) => sum + hour.requests, 0)
      const measure = requests / least
      if (first === undefined || last === undefined || !isFinding(measure)) return []
      const { user_id: user, day, first_at: from } = first
      const to = Math.max(...hours.map(({ last_at }) => last_at))
      const records = hours.reduce((sum, hour) => sum + hour.records, 0)
      return [
        {
          kind: 'OFF_HOURS',
          score: scoreOf(measure),
          user,
          from,
          to,
          explanation: `${user} made ${counted(requests, 'request')} on ${day} between ${first.hour_of_day}:00 and ${(last.hour_of_day + 1) % 24}:00, when neither the user nor the role works.`,
          evidence: { requests, records, hours: hours.length, firstHour: first.hour_of_day },
          patients: [],
          filter: { user, from, to },
        },
      ]
    })
  },
}

type Hour = AccessAggregates['hours'][number]

/** A pause of this length ends a night, in milliseconds. A night goes on after midnight. */
const PAUSE_MS = 3 * 3_600_000

/** The hours of one user as nights, each in the order of time. */
function nights(hours: readonly Hour[]): Hour[][] {
  const found: Hour[][] = []
  for (const hour of hours.toSorted((one, other) => one.first_at - other.first_at)) {
    const [night, before] = [found.at(-1), found.at(-1)?.at(-1)]
    if (night === undefined || before === undefined || hour.first_at - before.last_at > PAUSE_MS) found.push([hour])
    else night.push(hour)
  }
  return found
}
