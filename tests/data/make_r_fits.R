# Objects as R's packages autoencoder and SAENET return them, written by R itself: Rscript make_r_fits.R
set.seed(1)
fit_of <- function(v, h, unit.type, rescale.flag) {
  fit <- list(
    W = list(matrix(round(rnorm(h * v), 3), h, v), matrix(round(rnorm(v * h), 3), v, h)),
    b = list(round(rnorm(h), 3), round(rnorm(v), 3)),
    unit.type = unit.type,
    rescaling = list(
      rescale.flag = rescale.flag,
      rescaling.min = if (rescale.flag) -2 else NULL, rescaling.max = if (rescale.flag) 3 else NULL,
      rescaling.offset = 0.001
    ),
    nl = 3, sl = list(v, h, v), N.input = v, N.hidden = h,
    mean.error.training.set = 0.125, mean.error.test.set = NULL
  )
  class(fit) <- "autoencoder"
  fit
}
tanh_fit <- fit_of(5, 3, "tanh", TRUE)
stack <- list(
  list(ae.out = fit_of(5, 4, "logistic", FALSE), X.output = matrix(0.5, 2, 4), n.nodes = c(4, 2)),
  list(ae.out = fit_of(4, 2, "logistic", FALSE), X.output = matrix(0.5, 2, 2))
)
class(stack) <- "SAENET"
W <- tanh_fit$W
b <- tanh_fit$b
theta <- c(as.vector(W[[1]]), b[[1]], as.vector(W[[2]]), b[[2]])
corner <- c(W1 = W[[1]][2, 5], W2 = W[[2]][5, 2], b1 = b[[1]][3], b2 = b[[2]][5])
save(tanh_fit, stack, theta, corner, file = "r_fits.rda", compress = "xz")
saveRDS(tanh_fit, "r_fit.rds")
