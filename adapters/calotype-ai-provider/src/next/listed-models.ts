import type { CalotypeModel } from '../calotype-models.js';
import { ImageRouteError } from './image-route-error.js';

/** The id to paint with. `undefined` is the server's own default, where the app names no models. */
export function chosenModel(models: readonly string[] | undefined, asked: string | undefined): string | undefined {
  if (models === undefined) {
    return asked;
  }
  const chosen = asked === undefined ? models[0] : models.find(id => isSame(id, asked));
  if (chosen === undefined) {
    const message = `there is no model ${JSON.stringify(asked)} here; there is ${models.join(', ')}`;
    throw new ImageRouteError(404, message, { parameter: 'model' });
  }
  return chosen;
}

/** Those of the server that may be asked for, in the order in which the app names them. */
export function listed(all: readonly CalotypeModel[], models: readonly string[] | undefined): CalotypeModel[] {
  return models === undefined ? [...all] : models.flatMap(id => all.find(model => isSame(model.id, id)) ?? []);
}

/** The server takes ids in any case. */
function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
