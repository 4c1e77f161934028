/** A user of the explorer's menu. */
export interface ExplorerUser {
  readonly name: string
  readonly role: string
  readonly tenant: string
  /** One line for the menu: the user, and a query worth trying. */
  readonly suggestion: string
  /** The purposes of use that the role may claim. The first is the default. */
  readonly purposes: readonly string[]
  /** The path of the endpoint that answers the user: `/graphql`. */
  readonly endpoint: string
  /** The first content of the editor. */
  readonly query: string
  /** Why the explorer cannot ask as this user. Its menu shows the reason, and it requests no token for the user. */
  readonly disabled?: string
}

/** A grant as it is written in the schema. */
interface ExplorerRule {
  /** File and line: `schema/clinical/patient.graphql:21`. */
  readonly at: string
  readonly sdl: string
}

/** The data of the explorer's page. All of it follows from the schema and from the users of the stack. */
export interface ExplorerConfig {
  readonly users: readonly ExplorerUser[]
  /** The type of a patient's own record. The page looks for its ids in answers. */
  readonly patientType?: string
  /** By the name that errors and plans use: `Patient.ssn#1`. */
  readonly rules: Readonly<Record<string, ExplorerRule>>
}
