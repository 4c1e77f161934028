import { type Importer, writePatients } from '../../../fhir/importer.ts'
import { sensitivities } from '../../../directives/sensitivities.ts'
import { type CodeLabels, codeLabels } from '../../../fhir/labels.ts'
import { mapBundle } from '../../../fhir/map-bundle.ts'
import type { MappedPatient } from '../../../fhir/mapped-bundle.ts'
import { refuseProduction } from '../../../gateway/model/stage.ts'
import { type Instant, type TenantId, tenantId } from '../../../gateway/model/ids.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { counted } from '../../../gateway/model/counted.ts'
import { demoBundles } from './bundles.ts'
import { studyReference, type Study } from '../../../gateway/model/study.ts'
import { DEMO_STUDIES, DEMO_USERS, type DemoUser } from '../users.ts'

/** Destination of the demo data: an importer that also writes studies. */
export interface SeedStore extends Importer {
  writeStudy(study: Study): Promise<void>
}

export interface SeedOptions {
  /** Stage of the destination. Undefined is refused like production. */
  readonly stage: string | undefined
  /** Opens the sealed store of one tenant. */
  readonly openImporter: (tenant: TenantId) => Promise<SeedStore>
  /** Number of patients of each tenant. */
  readonly riverside: number
  readonly lakeside: number
  readonly log: (line: string) => void
}

/** The import rejected a demo bundle. This is a fault of this program, not of any input. */
class DemoFault extends Error {
  override readonly name = 'DemoFault'
  constructor() {
    super('The import rejected a demo patient. Correct the generator in infra/local/demo.')
  }
}

/**
 * Writes the demo patients of both tenants in the same way as `phi import`. Repeating it changes nothing.
 *
 * @throws StageRefused before anything is opened, because synthetic patients must not mix with real ones
 * @throws DemoFault, and errors of the importer
 */
export async function seedDemo({ stage, openImporter, riverside, lakeside, log }: SeedOptions): Promise<void> {
  refuseProduction({ PHI_STAGE: stage })
  const labels = codeLabels(sensitivities(clinicLock()))
  for (const [name, count] of [
    ['riverside', riverside],
    ['lakeside', lakeside],
  ] as const) {
    const tenant = tenantId(name)
    if (tenant === undefined) throw new DemoFault()
    const importer = await openImporter(tenant)
    let records = 0
    try {
      await writePatients(demoPatients(name, tenant, count, importer, labels), async (patient) => {
        const { created, updated, unchanged } = await importer.write(patient)
        records += created + updated + unchanged
      })
      for (const study of studiesOf(name)) await importer.writeStudy(study)
    } finally {
      await importer.close()
    }
    log(`${name}: ${counted(count, 'patient')}, ${counted(records, 'record')}`)
  }
}

function* demoPatients(
  name: DemoUser['tenant'],
  tenant: TenantId,
  count: number,
  { idFor }: Importer,
  labels: CodeLabels,
): Generator<MappedPatient> {
  let number = 0
  for (const bundle of demoBundles({ tenant: name, count })) {
    number++
    const { patients, faults } = mapBundle(bundle, { tenant, idFor, now: new Date().toISOString(), assign: new Map(), labels })
    if (faults.length > 0) throw new DemoFault()
    const studies = DEMO_STUDIES.filter((study) => study.tenant === name && number <= study.patients)
    for (const one of patients) {
      const subject = { patient: one.patient, relationship: 'STUDY', periods: [{}] } as const
      const memberships = studies.map(({ protocol }) => ({ ...subject, fhirUser: studyReference(protocol) }))
      yield { ...one, memberships: [...one.memberships, ...memberships] }
    }
  }
}

function studiesOf(name: DemoUser['tenant']): Study[] {
  return DEMO_STUDIES.filter(({ tenant }) => tenant === name).map(({ protocol, user, until }) => {
    const researchers = DEMO_USERS.flatMap(({ name: of, fhirUser }) => (of === user && fhirUser !== undefined ? [fhirUser] : []))
    return { protocol, researchers, until: Date.parse(until) as Instant }
  })
}
