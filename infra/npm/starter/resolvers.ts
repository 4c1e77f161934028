import { panelOf, patientOf, recordById, recordsOf, type Resolvers } from 'phi-gateway'

/** The resolvers of roots and edges. The gateway generates the resolver of each value from the schema. */
export const resolvers: Resolvers = {
  Query: {
    patient: recordById('Patient'),
    patients: panelOf('Patient'),
    visit: recordById('Visit'),
  },
  Patient: { visits: recordsOf('Visit') },
  Visit: { patient: patientOf('Patient') },
}
