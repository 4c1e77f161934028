import type { ImportOptions } from '../../cli/import-run.ts'
import { sensitivities } from '../../directives/sensitivities.ts'
import { codeLabels } from '../../fhir/labels.ts'
import { clinicLock } from '../../schema/clinic.ts'

/** The options of an import without assignments and without output. */
export const plainOptions = (): Omit<ImportOptions, 'paths' | 'tenant' | 'importer'> => ({
  assign: new Map(),
  careTeamOf: [],
  encounterPractitioners: false,
  users: new Set(),
  labels: codeLabels(sensitivities(clinicLock())),
  progress: { start: () => undefined, update: () => undefined, stop: () => undefined },
  now: Date.now,
})
