import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AnomalySettings } from '../../../../gateway/oversight/anomalies/anomaly-settings.ts'
import { findAnomalies, THRESHOLD } from '../../../../gateway/oversight/anomalies/find-anomalies.ts'
import { ANOMALY_KINDS } from '../../../../gateway/oversight/anomalies/finding.ts'
import { BASELINE_DAYS, localTime, TIME_ZONE } from './simulator/calendar.ts'
import { usualTraffic } from './simulator/habits.ts'
import { knownBy } from './simulator/known-traffic.ts'
import { plantMisuse } from './simulator/plants.ts'
import { SeededRandom } from './simulator/random.ts'
import { scoreKinds, wrongFindings } from './simulator/score.ts'
import { simulate } from './simulator/simulate.ts'
import { longDeadline } from './simulator/simulated-tables.ts'
import { type ClinicSize, hireStaff } from './simulator/staff.ts'

/** The number of whole clinics. `npm test` simulates none: each takes a minute. */
const RUNS = Number(process.env['PHI_ANOMALY_CLINICS'] ?? 0)
/** The thresholds were developed on the seeds 1, 2 and 3. These were held back. */
const SEEDS = Array.from({ length: RUNS }, (_, at) => 201 + at)

const settings = AnomalySettings.parse({ timeZone: TIME_ZONE })
const EACH = 24

const SMALL: ClinicSize = { physicians: 2, clinicNurses: 3, wardNurses: 1, frontDesk: 3, billing: 3, researchers: 1, partners: 3 }

describe('C22: simulated traffic', () => {
  it('C22: is the same for the same seed, and has plants of every kind in the judged days', () => {
    const simulated = (seed: number) => {
      const random = new SeededRandom(seed)
      const staff = hireStaff(random, SMALL)
      const known = knownBy(staff)
      const usual = usualTraffic(random, staff, known)
      const { plants, requests } = plantMisuse(random, staff, known, usual, 1)
      // the last request depends on all numbers before it
      return { plants, text: JSON.stringify([usual.length, usual.at(-1), requests.at(-1)]) }
    }
    const one = simulated(5)
    expect(simulated(5)).toEqual(one)
    expect(simulated(6).text).not.toBe(one.text)
    expect(one.plants.map(({ kind }) => kind).toSorted()).toEqual([...ANOMALY_KINDS].toSorted())
    for (const { from, to, kind } of one.plants) {
      // a review becomes due after the use
      expect(from).toBeGreaterThanOrEqual(localTime(kind === 'UNREVIEWED_BREAK_GLASS' ? BASELINE_DAYS - 6 : BASELINE_DAYS, 0))
      expect(to).toBeGreaterThanOrEqual(from)
    }
  }, 60_000)
})

describe.skipIf(SEEDS.length === 0)('C22: planted misuse of 30 days', () => {
  it.each(SEEDS)(
    'C22: seed %i: finds 95 percent of each kind, with at most one wrong finding in 10,000 accesses',
    async (seed) => {
      const folder = mkdtempSync(join(tmpdir(), 'phi-simulated-'))
      try {
        const { tables, workforce, plants, judged, records, granted } = await simulate(seed, folder, { each: EACH })
        const started = performance.now()
        const answer = await findAnomalies(tables, workforce, judged, settings, longDeadline())
        const seconds = (performance.now() - started) / 1_000
        const findings = answer.findings.filter(({ score }) => score >= THRESHOLD)
        const scores = scoreKinds(findings, plants)
        const wrong = wrongFindings(findings, plants)
        console.log(
          `seed ${seed}: ${records} field records in the judged days, ${granted} granted, answered in ${seconds.toFixed(1)} s`,
        )
        console.table(scores)
        console.log(`${wrong.length} wrong findings: ${((10_000 * wrong.length) / granted).toFixed(2)} in 10,000 granted accesses`)
        expect(scores).toHaveLength(ANOMALY_KINDS.length)
        for (const { kind, recall, plants: planted } of scores) {
          expect(planted, kind).toBeGreaterThanOrEqual(20)
          expect(recall, kind).toBeGreaterThanOrEqual(0.95)
        }
        // of the granted accesses: fewer than all records, so this is the stricter bound
        expect(wrong.length).toBeLessThanOrEqual(granted / 10_000)
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
    1_200_000,
  )
})
