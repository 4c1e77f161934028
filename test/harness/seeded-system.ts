import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockDigest } from '../../directives/compile.ts'
import { workforceComparison } from '../../directives/comparisons.ts'
import { searchIndexes } from '../../directives/searchable.ts'
import { openImporter } from '../../gateway/admin/open-importer.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import { seedDemo } from '../../infra/local/demo/seed.ts'
import { type Stack, startStack } from '../../infra/local/stack.ts'
import { DEMO_USERS } from '../../infra/local/users.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { kmsInWeather } from '../hostile/suite-weather.ts'
import { Canary, CANARY_USERS } from './canary.ts'
import type { CanaryPatient } from './canary-patient.ts'

/** The number of demo patients of each tenant. */
export interface SeededPatients {
  readonly riverside: number
  readonly lakeside: number
}

/** A running stack with the demo patients and the canary patient. */
export interface SeededSystem {
  readonly stack: Stack
  /** Its own folder, which no other system uses. The caller removes it. */
  readonly dataFolder: string
  readonly canary: CanaryPatient
  /** Stops the stack. */
  readonly stop: () => Promise<void>
}

/** Files of a stopped system: keys, tables and their items. No system runs on this folder, and nothing writes to it. */
interface Image {
  readonly folder: string
  readonly namespace: string
  readonly canary: CanaryPatient
}

const USERS = [...DEMO_USERS, ...CANARY_USERS]
/** Most suites use this many patients or fewer. A larger number occurs in one suite each, so that an image would not be used again. */
const MOST_IN_IMAGE: SeededPatients = { riverside: 2, lakeside: 1 }

const images = new Map<string, Promise<Image>>()
/** The folders of the images of this process, which the process removes when it ends. */
const folders: string[] = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/**
 * Starts a stack in a new folder, with patients. For few patients, the data is a copy of an image: the first suite of a process writes
 * the image. An image holds items of the seeding only, so that no suite sees the data of another one. A shared engine has no files to copy.
 */
export async function startSeeded(patients: SeededPatients): Promise<SeededSystem> {
  const { AWS_ENDPOINT_URL_DYNAMODB: sharedEngine = '' } = process.env
  const fits = patients.riverside <= MOST_IN_IMAGE.riverside && patients.lakeside <= MOST_IN_IMAGE.lakeside
  return sharedEngine === '' && fits ? await startCopy(await imageOf(patients)) : await startNew(patients)
}

async function imageOf(patients: SeededPatients): Promise<Image> {
  const name = `${patients.riverside} ${patients.lakeside}`
  const image = images.get(name) ?? writeImage(patients)
  images.set(name, image)
  return await image
}

async function writeImage(patients: SeededPatients): Promise<Image> {
  const { dataFolder, canary, stop, namespace } = await startNew(patients)
  folders.push(dataFolder)
  await stop()
  return { folder: dataFolder, namespace, canary }
}

async function startCopy({ folder, namespace, canary }: Image): Promise<SeededSystem> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  cpSync(folder, dataFolder, { recursive: true })
  const { stack, stop } = await startOn(dataFolder, namespace)
  return { stack, dataFolder, canary, stop }
}

async function startNew(patients: SeededPatients): Promise<SeededSystem & { readonly namespace: string }> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  // an engine that all tests share, like DynamoDB Local, needs distinct table names
  const namespace = `test-${randomUUID()}`
  const { stack, stop } = await startOn(dataFolder, namespace)
  const [canary] = await Promise.all([
    Canary.write((tenant) =>
      openStore(
        tenant,
        lockDigest(clinicLock()),
        stack.env,
        searchIndexes(clinicLock()),
        'create',
        workforceComparison(clinicLock()),
      ),
    ),
    seedDemo({
      stage: stack.env.PHI_STAGE,
      openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'),
      ...patients,
      log: () => undefined,
    }),
  ])
  return { stack, dataFolder, canary, stop, namespace }
}

async function startOn(dataFolder: string, namespace: string): Promise<Pick<SeededSystem, 'stack' | 'stop'>> {
  const stack = await startStack({ dataFolder, port: 0, namespace, users: USERS })
  const weather = await kmsInWeather(stack.env.AWS_ENDPOINT_URL_KMS)
  return {
    stack,
    stop: async () => {
      await weather.stop()
      await stack.stop()
    },
  }
}
