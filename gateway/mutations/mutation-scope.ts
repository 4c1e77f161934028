import type { BreakGlassSource } from '../access/attribute-loader.ts'
import type { Sessions } from '../access/sessions.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import { CareTeamMutations } from './care-team-mutations.ts'
import { ConsentMutations } from './consent-mutations.ts'
import { ErasureList } from './erasure-list.ts'
import { ErasureMutations } from './erasure-mutations.ts'
import type { ErasureServices } from './erasure-run.ts'
import { BreakGlassMutations, type BreakGlassParts } from './break-glass-mutations.ts'
import type { OperationAdministration } from './operation-administration.ts'
import { RecordMutations, type RecordMutationParts, type RecordWriting } from './record-mutations.ts'
import { RegistryMutations } from './registry-mutations.ts'
import { ReviewQueue } from './review-queue.ts'
import { SignatureMutations } from './signature-mutations.ts'

/** The services that mutations write through. A mutation fails if its service is left out. */
export interface MutationPorts {
  /** The source of the effective subject: a researcher has none. */
  readonly breakGlass?: BreakGlassSource
  readonly sessions?: Sessions
  /** Changes of records. */
  readonly records?: RecordWriting
  /** Erasures of patients. */
  readonly erasures?: ErasureServices
  /** The registry of operations. Its queries use it too. */
  readonly operations?: OperationAdministration
}

/** The ports, and the parts of a request that its reading scope does not supply. */
type MutationParts = Omit<BreakGlassParts, 'breakGlass' | 'counter' | 'errors' | 'failures' | 'recorder'> &
  Pick<RecordMutationParts, 'schema'> & { readonly ports: MutationPorts }

/** The writing half of a request. It shares the counter, the errors and the recorder of the reading scope. */
export class MutationScope {
  readonly ports: MutationPorts
  readonly breakGlass: BreakGlassMutations
  /** The generated mutations of records. */
  readonly records: RecordMutations
  readonly careTeam: CareTeamMutations
  readonly consents: ConsentMutations
  /** Signatures of records. */
  readonly signatures: SignatureMutations
  readonly erasures: ErasureMutations
  readonly erasureList: ErasureList
  /** The review queue of break-glass grants. */
  readonly reviews: ReviewQueue
  /** The registry of operations and contracts. */
  readonly registry: RegistryMutations

  constructor({ ports, ...parts }: MutationParts, scope: RequestScope) {
    const { counter, errors, failures, recorder } = scope
    const shared = { ...parts, ...ports, counter, errors, failures, recorder }
    this.ports = ports
    this.breakGlass = new BreakGlassMutations(shared)
    this.records = new RecordMutations({ ...parts, ...ports }, scope)
    this.careTeam = new CareTeamMutations({ ...parts, ...ports }, scope)
    this.consents = new ConsentMutations({ ...parts, ...ports }, scope)
    this.signatures = new SignatureMutations({ ...parts, ...ports }, scope)
    this.erasureList = new ErasureList({ ...parts, ...ports }, scope)
    this.erasures = new ErasureMutations({ ...parts, ...ports }, scope)
    this.reviews = new ReviewQueue(shared)
    this.registry = new RegistryMutations(shared)
  }
}
