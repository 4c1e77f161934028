import { present } from './datatypes.ts'
import { type FhirPeriod, endInstant, firstInstant } from './instant.ts'

/** The time that all periods cover, in the words of those that bound it. Undefined if there is none. */
export function overlap(...periods: readonly FhirPeriod[]): FhirPeriod | undefined {
  const bounds = periods.reduce((one, other) => ({
    ...present({
      start: tighter(one.start, other.start, (start, next) => firstInstant(start) > firstInstant(next)),
      end: tighter(one.end, other.end, (end, next) => endInstant(end) < endInstant(next)),
    }),
  }))
  const { start, end } = bounds
  return start !== undefined && end !== undefined && firstInstant(start) >= endInstant(end) ? undefined : bounds
}

function tighter(
  one: string | undefined,
  other: string | undefined,
  isTighter: (one: string, other: string) => boolean,
): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return isTighter(one, other) ? one : other
}
