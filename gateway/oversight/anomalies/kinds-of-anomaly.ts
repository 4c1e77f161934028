import type { KindOfAnomaly } from './finding.ts'
import { coWorker } from './kinds/co-worker.ts'
import { denials } from './kinds/denials.ts'
import { enumeration } from './kinds/enumeration.ts'
import { family } from './kinds/family.ts'
import { firstUse } from './kinds/first-use.ts'
import { guessedSearches } from './kinds/guessed-searches.ts'
import { manyPatients } from './kinds/many-patients.ts'
import { membership } from './kinds/membership.ts'
import { neighbor } from './kinds/neighbor.ts'
import { offHours } from './kinds/off-hours.ts'
import { partnerHabits } from './kinds/partner-habits.ts'
import { self } from './kinds/self.ts'
import { unreviewedBreakGlass } from './kinds/unreviewed-break-glass.ts'
import { vip } from './kinds/vip.ts'
import { volume } from './kinds/volume.ts'

/** Every kind. Each reads the same aggregates, and depends on no other. */
export const KINDS_OF_ANOMALY: readonly KindOfAnomaly[] = [
  volume,
  manyPatients,
  offHours,
  denials,
  enumeration,
  guessedSearches,
  unreviewedBreakGlass,
  membership,
  firstUse,
  partnerHabits,
  self,
  family,
  neighbor,
  coWorker,
  vip,
]
