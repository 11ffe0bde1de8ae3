export { createImageRoute } from './image-route.js';
export type { ImageRoute } from './image-route.js';
export type { ImageRouteLimits, ImageRouteOptions } from './image-route-options.js';
export type { ImageRouteRequest } from './image-route-request.js';
export type { ImageRouteAnswer, ImageRouteFailure, ImageRouteImage, ImageRouteModels } from './image-route-answers.js';
